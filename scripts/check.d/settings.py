#!/usr/bin/env python3
"""The settings: what the library reads is what the command's options set and what README, docs and man page describe.

usage: settings.py ROOT         checks a tree; one line a violation, exit status 1 if there is any
       settings.py --self-test  plants violations in a copy of the real files and sees that each is found

The settings are the CLOCKSHIM_* names in src/os/settings.*. Each of them
- is set by an option of `clockshim run` (src/cli), which is named after it: CLOCKSHIM_DEPTH is --depth;
- has a row in README's table and in that of docs/configuration.md, with the same default, and there with all words that it takes;
- has a section in docs/configuration.md, and an entry with the same default in docs/clockshim.1.
Nothing is described that is not read somewhere in src/.
"""
import pathlib
import re
import shutil
import sys
import tempfile

import command

README, PAGE, MANUAL = 'README.md', 'docs/configuration.md', 'docs/clockshim.1'
NAME = r'CLOCKSHIM_[A-Z]+(?:_[A-Z]+)*'
NOT_A_NUMBER = {'unset'}  # a default that the man page has no word for


def quoted(files):
    """The names that stand in files as strings of their own, or begin one: "CLOCKSHIM_ONLY=" """
    return {name for file in files for name in re.findall(rf'"({NAME})[="]', file.read_text(encoding='utf-8'))}


def sources(root, folder='src'):
    return [file for file in (root / folder).rglob('*') if file.suffix in {'.h', '.cpp'}]


def choices(root):
    """By name, the words that a setting takes: read_choice's, which stand in pairs behind its name."""
    found = {}
    for file in sorted((root / 'src/os').glob('settings*')):
        text = file.read_text(encoding='utf-8')
        if name := re.search(rf'kName = ("{NAME}");', text):
            text = text.replace('kName,', f'{name[1]},')
        for name, pairs in re.findall(rf'read_choice\(\s*variable,\s*"({NAME})",\s*\{{(.*?)\}}\}}', text, re.S):
            found[name] = re.findall(r'\{\s*"(\w+)"\s*,', pairs)
    return found


def rows(text):
    """By name, (the row's other cells): of tables whose rows begin with `CLOCKSHIM_X`, or several of those."""
    found = {}
    for line in text.splitlines():
        if line.startswith('| `CLOCKSHIM_'):
            cells = [cell.strip() for cell in line.strip('|').split(' | ')]
            found.update({name: cells[1:] for name in re.findall(NAME, cells[0])})
    return found


def manual_entries(text):
    """By name, the option's entry in the man page's section on `run`, without its fonts."""
    plain = re.sub(r'\\f[BIRP]|\\(?=-)', '', text)
    options = plain[plain.find('.SH OPTIONS OF RUN'):plain.find('.SH REPORTS')]
    return {match[1]: entry for entry in options.split('\n.TP\n') if (match := re.search(rf'\(({NAME})\)', entry))}


def options(root):
    """By name, the option of `clockshim run`: {"--depth", "CLOCKSHIM_DEPTH", ...}."""
    return {name: option for file in sources(root, 'src/cli')
            for option, name in re.findall(rf'"(--[a-z-]+)",\s*"({NAME})"', file.read_text(encoding='utf-8'))}


def violations(root):
    """Yields what is wrong."""
    settings = quoted(file for file in (root / 'src/os').glob('settings*'))
    if len(settings) < 10:
        yield f'src/os/settings.*: {len(settings)} settings: not as settings.py reads them'
    readme, page, manual = ((root / name).read_text(encoding='utf-8') for name in (README, PAGE, MANUAL))
    short, full, entries, set_by = rows(readme), rows(page), manual_entries(manual), options(root)
    sections = {name for line in re.findall(r'^## (.*)$', page, re.M) for name in re.findall(NAME, line)}
    takes = choices(root)
    if not {'CLOCKSHIM_ORDER', 'CLOCKSHIM_COUNTERS', 'CLOCKSHIM_LOG'} <= set(takes):
        yield f'src/os/settings.*: words of {sorted(takes)} alone: not as settings.py reads them'
    for name in sorted(settings):
        option = '--' + name.removeprefix('CLOCKSHIM_').lower().replace('_', '-')
        if set_by.get(name) != option:
            yield f'src/cli: no option {option} of `clockshim run` sets {name}'
        for where, there in ((f"{README}'s table", short), (f"{PAGE}'s table", full), (f'{PAGE}, as a section', sections),
                             (f'{MANUAL}, as an option of run', entries)):
            if name not in there:
                yield f'{where}: {name} is missing'
        if name in short and name in full and short[name][-1] != full[name][-1]:
            yield f'{name}: default {short[name][-1]} in {README}, {full[name][-1]} in {PAGE}'
        if name in full and name in entries:
            default = full[name][-1].strip('`')
            said = re.search(r'Default: (\S+?)[.:]?(?:\s|$)', entries[name])
            if default not in NOT_A_NUMBER and said and said[1] != default:
                yield f'{name}: default {default} in {PAGE}, {said[1]} in {MANUAL}'
        for word in takes.get(name, []):
            if name in full and f'`{word}`' not in full[name][0]:
                yield f"{PAGE}'s table: {name} takes `{word}`, too"
    known = quoted(sources(root))
    for file in [root / README, *sorted((root / 'docs').rglob('*.md')), root / MANUAL]:
        for name in sorted(set(re.findall(rf'(?<!\w){NAME}(?!\w)', file.read_text(encoding='utf-8'))) - known):
            yield f'{file.relative_to(root)}: {name} is read nowhere in src/'


def replaced(old, new):
    def change(text):
        if old not in text:
            raise LookupError(old)
        return text.replace(old, new)
    return change


PLANTED = [
    ('src/os/settings.cpp', lambda text: text + '// "CLOCKSHIM_FLUX"\n', 'CLOCKSHIM_FLUX is missing'),
    ('src/os/settings.cpp', replaced('{"strict", Order::strict}', '{"strict", Order::strict}, {"lax", Order::lax}'), 'CLOCKSHIM_ORDER takes `lax`, too'),
    (README, replaced('| `CLOCKSHIM_DEPTH`', '| `DEPTH`'), "README.md's table: CLOCKSHIM_DEPTH is missing"),
    (README, lambda text: re.sub(r'(\| `CLOCKSHIM_TOLERANCE`.*)`10us` \|', r'\1`20us` |', text), 'default `20us` in README.md'),
    (README, lambda text: text + '`CLOCKSHIM_FLUX=1` does that.\n', 'README.md: CLOCKSHIM_FLUX is read nowhere'),
    (PAGE, replaced('| `CLOCKSHIM_CLOCKS`', '| `CLOCKS`'), "docs/configuration.md's table: CLOCKSHIM_CLOCKS is missing"),
    (PAGE, replaced('## CLOCKSHIM_LOG', '## Messages'), 'docs/configuration.md, as a section: CLOCKSHIM_LOG is missing'),
    (MANUAL, replaced('(CLOCKSHIM_SKIP)', ''), 'docs/clockshim.1, as an option of run: CLOCKSHIM_SKIP is missing'),
    (MANUAL, replaced('Default: warn', 'Default: info'), 'default warn in docs/configuration.md, info in docs/clockshim.1'),
]


def self_test(root):
    """Each change is found, and so is an option that is gone; the files as they are have nothing that the changes add."""
    before, errors = set(violations(root)), 0
    option = next(file for file in sources(root, 'src/cli') if '"--depth"' in file.read_text(encoding='utf-8'))
    planted = [*PLANTED, (option.relative_to(root).as_posix(), replaced('"--depth"', '"--deep"'), 'no option --depth')]
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        shutil.copytree(root / 'src', copy / 'src')
        shutil.copytree(root / 'docs', copy / 'docs')
        shutil.copy(root / README, copy)
        for name, change, found in planted:
            text = (copy / name).read_text(encoding='utf-8')
            (copy / name).write_text(change(text), encoding='utf-8')
            new = set(violations(copy)) - before
            if not any(found in line for line in new):
                print(f'self-test: not found in {name}: {found}\n  found:', *new, sep='\n  ')
                errors += 1
            (copy / name).write_text(text, encoding='utf-8')
    print(f'self-test: {len(planted) - errors} of {len(planted)} cases right')
    return errors


if __name__ == '__main__':
    sys.exit(command.run(__doc__, violations, lambda: self_test(command.ROOT)))
