#!/usr/bin/env python3
"""Words and paths of the tree: what comments and docs name exists, and what the glossary defines is used.

usage: words.py ROOT         checks a tree; one line a violation, exit status 1 if there is any
       words.py --self-test  plants violations in a copy of this tree and sees that each is found

- A path of the tree that stands in a comment or on a page exists: from the root ("docs/limits.md"), from src/ or tests/
  ("clock/policy.h"), or beside the file that names it; a bare name ("timeline.h") anywhere in the tree. In the scripts' code,
  paths below docs/ and scripts/ do, too: what they name below src/ and tests/ may be built first.
- A link on a page leads to a file that exists, and to a heading of it.
- Each term of docs/glossary.md stands in src/.
- No line of C or C++ has more than 100 columns, but for raw strings, which are other languages' text.
"""
import pathlib
import re
import shutil
import sys
import tempfile

import command

COLUMNS = 100
CODE = {'.h', '.cpp', '.c'}
# Folders of the root whose paths are checked whether or not they have an extension.
ROOTS = ('docs', 'scripts', 'src', 'tests')
# A path begins behind none of these: "build/src/cli" and "-I/usr/include" are not ours, nor is "%p/name".
PATH = re.compile(r'(?<![\w./%{}$~*<>@+-])(?:\./)?[A-Za-z][\w.-]*(?:/[\w.*-]+)+/?')
# What looks like one file of ours without its folder. Other kinds of names are too often somebody else's.
BARE = re.compile(r'(?<![\w./%{}$~*<>@+"-])[a-z][a-z0-9_]*\.(?:cpp|h|md|pml)\b(?!\.\w)')
# Files of others that comments name: of the C library, CPython, Linux. And what is only there once it is built.
FOREIGN = {'errno.h', 'link.h', 'pthread.h', 'time.h', 'unistd.h', 'code.h', 'unicodeobject.h', 'arch/x86/kernel/tsc_sync.c',
           'page_assets.cpp', 'image_bytes.cpp', 'configured_places.cpp'}
PLACEHOLDER = re.compile(r'\*|(?<![A-Z])(?:DATE|DAY|DIR|FILE|NAME|PID)(?![A-Z])')  # docs/results/DAY.md
EXTENSION = re.compile(r'\.(h|hpp|cpp|c|py|sh|md|1|json|svg|map|pml|css|js|build)$')


def sources(root):
    """All files whose words are checked, with their folders."""
    pages = [*root.glob('*.md'), *(root / 'docs').rglob('*.md'), *(root / 'docs').glob('*.1'), root / 'meson.build']
    pages += [file for folder in ROOTS[1:] for file in (root / folder).rglob('*') if file.is_file() and file.suffix not in {'.bin', '.pyc'}]
    # This file names what is not there, to plant it.
    return sorted(file for file in set(pages) if file.exists() and file.name != 'words.py')


def comments(text):
    """The text with everything blanked out of C++ that is no comment; the lines stay where they are."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|\n', re.S)
    return ''.join(t if t.startswith(('//', '/*')) or t == '\n' else '' for t in token.findall(text))


def script_comments(text):
    """The same of Python and shell. What is not the comment's is kept where it names pages or scripts."""
    kept, inside = [], False
    for line in text.split('\n'):
        quotes = line.count('"""')
        comment = inside or quotes or line.lstrip().startswith('#')
        inside ^= quotes % 2
        kept.append(line if comment else ' '.join(m[0] for m in PATH.finditer(line) if m[0].startswith(('docs/', 'scripts/'))))
    return '\n'.join(kept)


def without_raw_strings(text):
    """The text with the lines of raw strings made empty."""
    return re.sub(r'R"(\w*)\(.*?\)\1"', lambda m: '\n' * m[0].count('\n'), text, flags=re.S)


class Tree:
    """What there is."""

    def __init__(self, root):
        self.root = root
        self.rooms = {path.name for parent in ('src', 'tests') for path in (root / parent).iterdir() if path.is_dir()}
        self.names = {path.name for folder in ROOTS for path in (root / folder).rglob('*')} | {p.name for p in root.iterdir()}

    def has(self, path, beside):
        """Whether a path leads somewhere, from any of the places from which we name files, or is a program that is built from it."""
        places = [self.root, self.root / 'src', self.root / 'tests', self.root / 'scripts', self.root / 'docs', beside]
        return any((place / name).exists() for place in places for name in (path, f'{path}.cpp'))

    def missing(self, text, file):
        """The paths in a text that look like ours and lead nowhere."""
        for match in PATH.finditer(text):
            path = match[0].removeprefix('./').rstrip('./')
            if path.count('://') or PLACEHOLDER.search(path) or text[match.end():match.end() + 1] in {'%', '$', '{', '*', '<'}:
                continue
            first = path.split('/')[0]
            ours = first in ROOTS or first in self.rooms and EXTENSION.search(path)
            if ours and path not in FOREIGN and not self.has(path, file.parent):
                yield path
        for match in BARE.finditer(text):
            if match[0] not in self.names and match[0] not in FOREIGN:
                yield match[0]


def headings(page):
    """The headings of a page, as links name them."""
    found = re.findall(r'^#+ (.*)$', page.read_text(encoding='utf-8'), re.M)
    return {re.sub(r'[^\w -]', '', heading.lower()).replace(' ', '-') for heading in found}


def dead_links(line, page):
    """The links of a line that lead nowhere."""
    for target in re.findall(r'\]\(([^)\s]+)\)', line):
        path, _, heading = target.partition('#')
        to = page.parent / path if path else page
        if '://' not in target and not (to.exists() and (not heading or heading in headings(to))):
            yield target


def terms(glossary):
    """The words that the glossary's table defines."""
    for line in glossary.read_text(encoding='utf-8').splitlines():
        if (cell := re.match(r'\| ([^|]+) \|', line)) and cell[1].strip() not in {'term', 'word'}:
            yield from (term.strip() for term in re.sub(r'\(.*?\)', '', cell[1]).split(','))


def as_pattern(term):
    """A term as it stands in code, too: call_site, CallSite, call sites. The last letter may give way to an ending (copy, copies)."""
    parts = [re.escape(part) for part in re.split(r'[ -]', term)]
    parts[-1] = re.sub(r'(?<=\w\w\w)[ey]$', '', parts[-1])
    return re.compile(r'(?<![A-Za-z])' + r'[\s_/-]*'.join(parts), re.I)


def in_file(tree, file):
    """Yields 'file:line: what is wrong' of one file."""
    name = file.relative_to(tree.root).as_posix()
    try:
        text = file.read_text(encoding='utf-8')
    except UnicodeDecodeError:
        return  # a test's data
    words = text
    if file.suffix in CODE:
        words = comments(text)
    elif name.startswith('scripts/'):
        words = script_comments(text)
    elif file.suffix == '.1':
        words = text.replace('\\-', '-')
    for number, line in enumerate(words.splitlines(), 1):
        if file.suffix == '.md':
            if line.startswith('    ninja '):
                continue  # what is to be built
            for target in dead_links(line, file):
                yield f'{name}:{number}: the link {target} leads nowhere'
        for path in dict.fromkeys(tree.missing(line, file)):
            yield f'{name}:{number}: there is no {path}'
    if file.suffix in CODE:
        for number, line in enumerate(without_raw_strings(text).splitlines(), 1):
            if len(line) > COLUMNS:
                yield f'{name}:{number}: {len(line)} columns, at most {COLUMNS}'


def in_glossary(root):
    """Yields what is wrong with the glossary."""
    src = '\n'.join(file.read_text(errors='replace') for file in (root / 'src').rglob('*') if file.is_file() and file.suffix != '.md')
    found = list(terms(root / 'docs/glossary.md'))
    if len(found) < 10:
        yield f'docs/glossary.md: {len(found)} terms: its table is not as words.py reads it'
    for term in found:
        if not as_pattern(term).search(src):
            yield f'docs/glossary.md: "{term}" does not stand in src/'


def violations(root, only=None):
    """All that is wrong, or what is wrong with one file."""
    tree = Tree(root)
    for file in [only] if only else sources(root):
        yield from in_file(tree, file)
    if only is None or only.name == 'glossary.md':
        yield from in_glossary(root)


PLANTED = [
    ('src/base/ticks.h', '// See clock/no_such_thing.h.', 'there is no clock/no_such_thing.h'),
    ('src/base/ticks.h', 'int x;  /* as preload/twin_test.cpp does */', 'there is no preload/twin_test.cpp'),
    ('tests/unit/segment_test.cpp', '// no_such_thing.cpp has the other half.', 'there is no no_such_thing.cpp'),
    ('scripts/check', '# see scripts/no-such-script', 'there is no scripts/no-such-script'),
    ('scripts/lab/all', 'PAGE = "docs/no_such_page.md"', 'there is no docs/no_such_page.md'),
    ('README.md', 'The tests are in `tests/nowhere/`.', 'there is no tests/nowhere'),
    ('docs/limits.md', 'See no_such_page.md.', 'there is no no_such_page.md'),
    ('docs/limits.md', 'See [results](results/1970-01-01.md).', 'the link results/1970-01-01.md leads nowhere'),
    ('docs/limits.md', 'See [that](design.md#no-such-heading).', 'the link design.md#no-such-heading leads nowhere'),
    ('docs/clockshim.1', 'docs/no_such_page.md', 'there is no docs/no_such_page.md'),
    ('docs/glossary.md', '| flux capacitor | what nobody here has |', '"flux capacitor" does not stand in src/'),
    ('src/clock/policy.h', '// ' + 'x' * 98, '101 columns, at most 100'),
    ('tests/hosts/leaves.c', '// ' + 'x' * 98, '101 columns, at most 100'),
]
# What is no path of ours, and must not be taken for one.
HARMLESS = [
    ('src/base/ticks.h', '#include "clock/no_such_thing.h"  // a compiler says this better'),
    ('src/base/ticks.h', '// calls/s, /proc/self/maps, http://docs/x.md, build/src/no_such_thing.so, docs/*.md, pthread.h'),
    ('docs/limits.md', 'See [that](design.md#counters-that-disagree), [and](#machines), [those](https://example.org/no_such).'),
    ('scripts/check', 'x=$build/src/no_such_thing.so'),
]


def self_test(root):
    """Each planted line is found where it stands, and lines that are all right are passed."""
    errors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        for name in ROOTS:
            shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns('__pycache__'))
        for page in [*root.glob('*.md'), root / 'meson.build', root / 'LICENSE']:
            shutil.copy(page, copy)
        for name, line, found in [*PLANTED, *((n, line, None) for n, line in HARMLESS)]:
            file = copy / name
            if not file.exists():
                print(f'self-test: no {name} to plant something in')
                errors += 1
                continue
            text, before = file.read_text(encoding='utf-8'), set(violations(copy, file))
            file.write_text(f'{text}{line}\n', encoding='utf-8')
            place = name if name.endswith('glossary.md') else f'{name}:{len(text.splitlines()) + 1}'
            new = set(violations(copy, file)) - before
            if new != ({f'{place}: {found}'} if found else set()):
                print(f'self-test: {name}: {line}\n  found:', *new, sep='\n  ')
                errors += 1
            file.write_text(text, encoding='utf-8')
    many = len(PLANTED) + len(HARMLESS)
    print(f'self-test: {many - errors} of {many} cases right')
    return errors


if __name__ == '__main__':
    sys.exit(command.run(__doc__, violations, lambda: self_test(command.ROOT)))
