#!/usr/bin/env python3
"""The include ladder of src/README.md: who may include whom, and which third-party header stands in which one file.

usage: ladder.py SRC        checks a source tree; one line a violation, exit status 1 if there is any
       ladder.py --self-test  plants violations in a temporary tree and sees that each is found
"""
import pathlib
import re
import sys
import tempfile

# A folder of src/, and the folders that its files may include besides their own. The order is the ladder's.
ALLOWED = {
    'base': set(),
    'arch': {'base'},
    'os': {'base', 'arch'},
    'live': {'base', 'arch', 'os'},
    'clock': {'base', 'arch', 'os', 'live'},
    'callsite': {'base', 'arch', 'os', 'live'},
    'report': {'base', 'arch', 'os', 'live'},
    'preload': {'base', 'arch', 'os', 'live', 'clock', 'callsite', 'report'},
    'cli': {'base', 'arch', 'os', 'live', 'report'},
}
# What the preloaded library writes it never reads: that is the command's.
FORBIDDEN = {'preload': re.compile(r'report/(reader|read_json|formats|merge|symbolize|debug_info|gzip|advice)\b')}
# Third-party headers, and the one file that may include them.
ONLY_IN = {
    'spdlog': (re.compile(r'spdlog/'), 'os/log.cpp'),
    'ncurses': (re.compile(r'n?cursesw?\b'), 'cli/top_screen.cpp'),
    'libdwfl': (re.compile(r'(elfutils/|dwarf\.h)'), 'report/debug_info.cpp'),
    'libelf': (re.compile(r'(libelf|gelf)\.h'), 'report/imported_calls.cpp'),
    'zlib': (re.compile(r'zlib\.h'), 'report/gzip.cpp'),
}
INCLUDE = re.compile(r'^\s*#\s*(?:include|include_next|import)\s*([<"])([^>"]+)[>"]')


def violations(src):
    """Yields 'file:line: what is wrong' for each include that may not be there."""
    files = sorted(p for p in src.rglob('*') if p.suffix in {'.h', '.hpp', '.cpp', '.cc', '.inc'})
    if not files:
        yield f'{src}: no sources there'
    for path in files:
        name = path.relative_to(src).as_posix()
        folder = name.split('/')[0]
        if folder not in ALLOWED:
            yield f'{name}: stands in no rung of the ladder'
            continue
        for number, line in enumerate(path.read_text(errors='replace').splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            quote, target = match.groups()
            place = f'{name}:{number}'
            for library, (pattern, home) in ONLY_IN.items():
                if pattern.match(target) and name != home:
                    yield f'{place}: <{target}> of {library} is for {home} alone'
            rung = target.split('/')[0]
            if quote == '"' and (rung not in ALLOWED or '..' in target):
                yield f'{place}: "{target}" is not a path from src/'
            elif rung in ALLOWED and '/' in target and (quote == '"' or (src / target).exists()):
                if rung != folder and rung not in ALLOWED[folder]:
                    yield f'{place}: {folder} may not include {rung} ({target})'
                elif folder in FORBIDDEN and FORBIDDEN[folder].match(target):
                    yield f'{place}: {folder} may not include {target}'


def self_test():
    """Each planted line is found, and a right tree is passed."""
    right = {
        'base/a.h': '#include <cstdint>\n',
        'arch/b.h': '#include "base/a.h"\n',
        'os/c.h': '#include "arch/b.h"\n',
        'os/log.cpp': '#include <spdlog/logger.h>\n',
        'clock/d.h': '#include "os/c.h"\n',
        'callsite/b.cpp': '#include "os/c.h"\n',
        'report/e.h': '#include "os/c.h"\n#include "arch/b.h"\n',
        'report/reader.h': '',
        'preload/f.cpp': '#include "clock/d.h"\n#include "report/e.h"\n',
        'cli/g.cpp': '#include "report/reader.h"\n',
    }
    planted = [
        ('base/x.h', '#include "arch/b.h"'), ('arch/x.h', '#include "os/c.h"'), ('os/x.h', '  #  include "clock/d.h"'),
        ('clock/x.h', '#include "callsite/y.h"'), ('callsite/x.h', '#include "clock/d.h"'),
        ('report/x.h', '#include "clock/d.h"'), ('preload/x.cpp', '#include "report/reader.h"'),
        ('preload/x.cpp', '#include "report/formats.h"'), ('report/x.cpp', '#include <elfutils/libdw.h>'), ('report/debug_info.cpp', '#include <gelf.h>'), ('cli/x.cpp', '#include <zlib.h>'),
        ('cli/x.cpp', '#include "clock/d.h"'), ('cli/x.cpp', '#include "preload/y.h"'), ('cli/x.cpp', '#include "callsite/y.h"'),
        ('cli/x.cpp', '#include <clock/d.h>'), ('cli/x.cpp', '#include <ncurses.h>'), ('os/x.cpp', '#include "../clock/d.h"'), ('os/x.cpp', '#include "c.h"'),
        ('preload/x.cpp', '#include <spdlog/spdlog.h>'), ('other/x.h', ''),
    ]
    errors = 0
    for path, line in [(None, None), *planted]:
        with tempfile.TemporaryDirectory() as folder:
            src = pathlib.Path(folder)
            for name, text in {**right, **({path: line + '\n'} if path else {})}.items():
                (src / name).parent.mkdir(exist_ok=True)
                (src / name).write_text(text)
            found = list(violations(src))
        if path is None and found:
            print('self-test: a right tree is refused:', *found, sep='\n  ')
            errors += 1
        if path is not None and not any(v.startswith(path) for v in found):
            print(f'self-test: not found: {path}: {line}')
            errors += 1
    print(f'self-test: {len(planted) + 1 - errors} of {len(planted) + 1} cases right')
    return errors


def main():
    if sys.argv[1:] == ['--self-test']:
        return 1 if self_test() else 0
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    found = list(violations(pathlib.Path(sys.argv[1])))
    print(*found, sep='\n', end='\n' if found else '')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
