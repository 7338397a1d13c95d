#!/usr/bin/env python3
"""The settings on the pages for users: written from the table in src/os/setting_table.h, and compared with it.

usage: settings.py ROOT          checks a tree; one line a violation, exit status 1 if there is any
       settings.py --self-test   plants violations in a copy of the real files and sees that each is found
       settings.py --write ROOT  writes the tables and the man page's entries

The parser of the library and the options of `clockshim run` go through the same table when they are compiled, so
that it alone says which settings there are. What is compared here:
- the table in README.md and that in docs/configuration.md are the ones that --write makes;
- so is the head of each entry in docs/clockshim.1, up to the line that says so; what follows it is written by hand;
- docs/configuration.md has a section for each setting;
- the lists of settings about serving and about observing, in brackets in both pages, are complete;
- no page describes a CLOCKSHIM_* variable that is read nowhere in src/.
"""
import pathlib
import re
import shutil
import sys
import tempfile
import textwrap

import command

TABLE, README, PAGE, MANUAL = 'src/os/setting_table.h', 'README.md', 'docs/configuration.md', 'docs/clockshim.1'
NAME = r'CLOCKSHIM_[A-Z]+(?:_[A-Z]+)*'
STRING = r'"(?:[^"\\]|\\.)*"'
END_OF_HEAD = '.\\" (up to here by settings.py)'


class Setting:
    def __init__(self, row):
        texts = {name: ''.join(part[1:-1] for part in re.findall(STRING, strings))
                 for name, strings in re.findall(rf'\.(\w+) = ((?:{STRING}\s*)+)', row)}
        self.variable, self.placeholder = texts['variable'], texts['placeholder']
        self.short = self.variable.removeprefix('CLOCKSHIM_')
        self.option = '--' + self.short.lower()
        self.observing = 'Concern::observing' in row
        self.refuses = bool(texts.get('words') or texts.get('right'))
        words = texts.get('words', '').split()
        self.values = texts.get('values') or ', '.join(f'`{word}`' for word in words)
        self.usual = 'unset' if texts['usual'] == 'unset' else f'`{texts["usual"]}`'
        self.meaning = texts['meaning']


def settings_of(root):
    text = (root / TABLE).read_text(encoding='utf-8')
    rows = text[text.index('kSettings[] = {'):].split('{.id = ')[1:]
    return [Setting(row) for row in rows]


def markdown(settings):
    lines = ['| variable | values | default | meaning |', '|---|---|---|---|']
    lines += [f'| `{s.variable}` | {s.values} | {s.usual} | {s.meaning} |' for s in settings]
    return '\n'.join(lines) + '\n'


def roff(text):
    return re.sub(r'`([^`]*)`', r'\\fB\1\\fR', text.replace('-', r'\-'))


def manual_head(setting):
    """An entry of the man page up to what is written by hand."""
    meaning = setting.meaning[0].upper() + setting.meaning[1:]
    default = '' if setting.usual == 'unset' else f' Default: {setting.usual}.'
    text = roff(f'({setting.variable}) {meaning}. Values: {setting.values}.{default}')
    lines = textwrap.wrap(text, 100, break_on_hyphens=False, break_long_words=False)
    return '\n'.join([f'.BI {roff(setting.option)} " {setting.placeholder}"', *lines, END_OF_HEAD]) + '\n'


def with_table(text, settings):
    """A page with its table, which begins with the word "variable", written anew."""
    return re.sub(r'^\| variable \|.*\n(?:\|.*\n)*', lambda _: markdown(settings), text, count=1, flags=re.M)


def with_heads(text, settings):
    """The man page with the heads of its entries on settings written anew."""
    for s in settings:
        head = rf'^\.B[IR] "?{re.escape(roff(s.option))} .*\n(?:(?!\.TP|\.SH).*\n)*?{re.escape(END_OF_HEAD)}\n'
        text = re.sub(head, lambda _, s=s: manual_head(s), text, count=1, flags=re.M)
    return text


def rewritten(root):
    """(file, its text, what --write makes of it) for each page."""
    settings = settings_of(root)
    for name, change in ((README, with_table), (PAGE, with_table), (MANUAL, with_heads)):
        text = (root / name).read_text(encoding='utf-8')
        yield name, text, change(text, settings)


def listed(text, word):
    """The settings in the brackets that follow a word: "about observing (`LOG`, `DIR`)"."""
    found = re.search(rf'{word}\W*\(((?:`[A-Z]+`[,\s]*)+)\)', text)
    return set(re.findall('[A-Z]+', found[1])) if found else None


def violations(root):
    """Yields what is wrong."""
    settings = settings_of(root)
    if len(settings) < 10:
        yield f'{TABLE}: {len(settings)} settings: not as settings.py reads them'
    for name, text, right in rewritten(root):
        if text != right:
            yield f'{name}: not as {TABLE} has it: run scripts/check.d/settings.py --write {root}'
        if name != MANUAL and markdown(settings) not in right:
            yield f'{name}: has no table with a column "variable"'
        for s in settings:
            if name == MANUAL and manual_head(s) not in right:
                yield f'{name}: no entry for {s.option} with {s.variable}'
    page, readme = ((root / name).read_text(encoding='utf-8') for name in (PAGE, README))
    sections = {name for line in re.findall(r'^## (.*)$', page, re.M) for name in re.findall(NAME, line)}
    for s in settings:
        if s.variable not in sections:
            yield f'{PAGE}, as a section: {s.variable} is missing'
    observing = {s.short for s in settings if s.observing}
    serving = {s.short for s in settings if not s.observing and s.refuses}
    for name, text, word, right in ((PAGE, page, 'Serving', serving), (PAGE, page, 'Observing', observing),
                                    (README, readme, 'observing', observing)):
        if listed(text, word) != right:
            yield f'{name}: the settings about {word.lower()} are {", ".join(sorted(right))}'
    known = {name for file in (root / 'src').rglob('*') if file.suffix in {'.h', '.cpp'}
             for name in re.findall(rf'"({NAME})[="]', file.read_text(encoding='utf-8'))}
    for file in [root / README, *sorted((root / 'docs').rglob('*.md')), root / MANUAL]:
        for name in sorted(set(re.findall(rf'(?<!\w){NAME}(?!\w)', file.read_text(encoding='utf-8'))) - known):
            yield f'{file.relative_to(root)}: {name} is read nowhere in src/'


def write(root):
    for name, text, right in rewritten(root):
        if text != right:
            (root / name).write_text(right, encoding='utf-8')
            print(f'written: {name}')


def replaced(old, new):
    def change(text):
        if old not in text:
            raise LookupError(old)
        return text.replace(old, new)
    return change


# A setting that is added, with all that the compiler asks for.
NEW_ROW = ('{.id = SettingId::flux, .concern = Concern::observing, .variable = "CLOCKSHIM_FLUX", .placeholder = "F", .right = "f", '
           '.values = "f", .usual = "unset", .meaning = "flux"},\n};\n\nconstexpr')
PLANTED = [
    (TABLE, replaced('};\n\nconstexpr', NEW_ROW), f'{README}: not as'),
    (TABLE, replaced('};\n\nconstexpr', NEW_ROW), f'{PAGE}, as a section: CLOCKSHIM_FLUX is missing'),
    (TABLE, replaced('};\n\nconstexpr', NEW_ROW), f'{MANUAL}: no entry for --flux'),
    (TABLE, replaced('};\n\nconstexpr', NEW_ROW), f'{PAGE}: the settings about observing'),
    (TABLE, replaced('"strict relaxed"', '"strict relaxed lax"'), f'{PAGE}: not as'),
    (TABLE, replaced('.usual = "warn"', '.usual = "info"'), f'{MANUAL}: not as'),
    (README, replaced('| `CLOCKSHIM_DEPTH`', '| `DEPTH`'), f'{README}: not as'),
    (README, lambda text: re.sub(r'(\| `CLOCKSHIM_TOLERANCE`.*)`10us` \|', r'\1`20us` |', text), f'{README}: not as'),
    (README, lambda text: text + '`CLOCKSHIM_FLUX=1` does that.\n', f'{README}: CLOCKSHIM_FLUX is read nowhere'),
    (README, replaced('(`PROFILE`, `DEPTH`, ', '(`PROFILE`, '), f'{README}: the settings about observing'),
    (PAGE, lambda text: re.sub(r'\| `CLOCKSHIM_CLOCKS`.*\n', '', text), f'{PAGE}: not as'),
    (PAGE, replaced('| variable |', '| setting |'), f'{PAGE}: has no table'),
    (PAGE, replaced('## CLOCKSHIM_LOG', '## Messages'), f'{PAGE}, as a section: CLOCKSHIM_LOG is missing'),
    (PAGE, replaced('(`TOLERANCE`, ', '('), f'{PAGE}: the settings about serving'),
    (MANUAL, replaced('(CLOCKSHIM_SKIP)', ''), f'{MANUAL}: not as'),
    (MANUAL, replaced('Default: \\fBwarn\\fR', 'Default: \\fBinfo\\fR'), f'{MANUAL}: not as'),
    (MANUAL, replaced('\\-\\-depth " N"', '\\-\\-deep " N"'), f'{MANUAL}: no entry for --depth'),
]


def self_test(root):
    """Each change is found and, where it is one of the pages, mended; the files as they are have nothing that the changes add."""
    before, errors = set(violations(root)), 0
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        shutil.copytree(root / 'src', copy / 'src')
        shutil.copytree(root / 'docs', copy / 'docs')
        shutil.copy(root / README, copy)
        for name, change, found in PLANTED:
            text = (copy / name).read_text(encoding='utf-8')
            (copy / name).write_text(change(text), encoding='utf-8')
            new = set(violations(copy)) - before
            if not any(line.startswith(found) for line in new):
                print(f'self-test: not found in {name}: {found}\n  found:', *new, sep='\n  ')
                errors += 1
            (copy / name).write_text(text, encoding='utf-8')
        page = (copy / PAGE).read_text(encoding='utf-8')
        (copy / PAGE).write_text(replaced('`10us` |', '`20us` |')(page), encoding='utf-8')
        write(copy)
        if (copy / PAGE).read_text(encoding='utf-8') != page:
            print(f'self-test: --write did not mend {PAGE}')
            errors += 1
    print(f'self-test: {len(PLANTED) + 1 - errors} of {len(PLANTED) + 1} cases right')
    return errors


if __name__ == '__main__':
    if sys.argv[1:2] == ['--write'] and len(sys.argv) == 3:
        write(pathlib.Path(sys.argv[2]))
        sys.exit(0)
    sys.exit(command.run(__doc__, violations, lambda: self_test(command.ROOT)))
