#!/usr/bin/env python3
"""The include ladder of src/README.md: who may include whom, and which third-party header stands in which one file.

usage: ladder.py SRC        checks a source tree; one line a violation, exit status 1 if there is any
       ladder.py --self-test  plants violations in a copy of the real tree and sees that each is found
"""
import pathlib
import re
import shutil
import sys
import tempfile

import command

# A room (folder) of src/, and the rooms that its files may include besides their own. The order is the ladder's: a room may
# include only rooms above it here, so there are no circles. Commands never include each other.
LOW = {'base', 'arch', 'os', 'live'}
REPORTS = LOW | {'report', 'analysis', 'symbolize', 'formats'}
FLOOR = REPORTS | {'cli/console'}
MACHINE = FLOOR | {'cli/inject', 'cli/livefiles', 'cli/machine'}
COMMANDS = {'cli/attach', 'cli/run', 'cli/doctor', 'cli/bench', 'cli/top', 'cli/report'}
ALLOWED = {
    'base': set(),
    'arch': {'base'},
    'os': {'base', 'arch'},
    'live': {'base', 'arch', 'os'},
    'clock': LOW,
    'callsite/python': LOW,
    'callsite': LOW | {'callsite/python'},
    'report': LOW,
    'preload': LOW | {'clock', 'callsite', 'report'},
    'image': LOW | {'clock', 'callsite'},
    'analysis': LOW | {'report'},
    'symbolize': LOW | {'report'},
    'formats': LOW | {'report', 'analysis'},
    'cli/console': LOW,
    'cli/inject': FLOOR | {'image'},
    'cli/livefiles': FLOOR,
    'cli/machine': FLOOR | {'cli/inject'},
    **{command: MACHINE for command in COMMANDS},
    'cli': MACHINE | COMMANDS,
}
# Third-party headers, and the files that may include them.
ONLY_IN = {
    'spdlog': (re.compile(r'spdlog/'), ['os/log.cpp']),
    'ncurses': (re.compile(r'n?cursesw?\b'), ['cli/top/top_screen.cpp']),
    'libdwfl': (re.compile(r'(elfutils/|dwarf\.h)'), ['symbolize/debug_info.cpp', 'symbolize/dwarf_scopes.h',
                                                         'symbolize/wrapper_code.cpp']),
    'libelf': (re.compile(r'(libelf|gelf)\.h'), ['symbolize/go_functions.cpp', 'symbolize/imported_calls.cpp', 'symbolize/wrapper_code.cpp',
                                                        'cli/inject/elf_file.h']),
    'CLI11': (re.compile(r'CLI/'), ['cli/console/command_line.cpp']),
    'zlib': (re.compile(r'zlib\.h'), ['formats/gzip.cpp']),
}
INCLUDE = re.compile(r'^\s*#\s*(?:include|include_next|import)\s*([<"])([^>"]+)[>"]')


def violations(src):
    """Yields 'file:line: what is wrong' for each include that may not be there."""
    files = sorted(p for p in src.rglob('*') if p.suffix in {'.h', '.hpp', '.cpp', '.cc', '.inc'})
    if not files:
        yield f'{src}: no sources there'
    for path in files:
        name = path.relative_to(src).as_posix()
        room = path.parent.relative_to(src).as_posix()
        if room not in ALLOWED:
            yield f'{name}: stands in no room of the ladder'
            continue
        for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, target = match.groups()
            place = f'{name}:{number}'
            for library, (pattern, homes) in ONLY_IN.items():
                if pattern.match(target) and name not in homes:
                    yield f'{place}: <{target}> of {library} is for {" and ".join(homes)} alone'
            other = target.rpartition('/')[0]
            if quote == '"' and (other not in ALLOWED or '..' in target):
                yield f'{place}: "{target}" is not a path from src/'
            elif other in ALLOWED and (quote == '"' or (src / target).exists()):
                if other != room and other not in ALLOWED[room]:
                    yield f'{place}: {room} may not include {other} ({target})'


def self_test(src):
    """Into a copy of the real tree, each include that the ladder forbids is planted and found, for each two rooms; and others."""
    headers = {room: sorted(src.glob(f'{room}/*.h'))[0].relative_to(src).as_posix() for room in ALLOWED
               if any(src.glob(f'{room}/*.h'))}
    planted = [(room, f'#include "{header}"') for room in ALLOWED for other, header in headers.items()
               if other != room and other not in ALLOWED[room]]
    forbidden = len(planted)
    planted += [
        ('os', '  #  include "clock/timeline.h"'), ('cli', '#include <clock/timeline.h>'), ('os', '#include "../clock/timeline.h"'),
        ('os', '#include "log.h"'), ('preload', '#include <spdlog/spdlog.h>'), ('cli/top', '#include <ncurses.h>'),
        ('cli/report', '#include <zlib.h>'), ('formats', '#include <elfutils/libdw.h>'), ('symbolize', '#include <nlohmann.h>\n#include <gelf.h>'),
        ('cli/run', '#include <CLI/CLI.hpp>'), ('other', ''),
    ]
    errors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder, 'src')
        shutil.copytree(src, copy)
        for finding in violations(copy):
            print(f'self-test: the tree itself is refused: {finding}')
            errors += 1
        for room, line in planted:
            path = copy / room / 'planted.cpp'
            path.parent.mkdir(exist_ok=True)
            path.write_text(line + '\n')
            if not any(v.startswith(f'{room}/planted.cpp') for v in violations(copy)):
                print(f'self-test: not found: {room}: {line}')
                errors += 1
            path.unlink()
    if forbidden < 100:
        print(f'self-test: only {forbidden} pairs of rooms are forbidden')
        errors += 1
    print(f'self-test: {len(planted) + 1 - errors} of {len(planted) + 1} cases right')
    return errors


if __name__ == '__main__':
    sys.exit(command.run(__doc__, violations, lambda: self_test(command.ROOT / 'src')))
