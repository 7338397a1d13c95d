#!/usr/bin/env python3
"""Ratios in the tables of README.md and docs/results/: each is what a reader gets who divides the two figures beside it.

usage: ratios.py ROOT         one line a ratio that is wrong, exit status 1 if there is any
       ratios.py --self-test  spoils each kind of ratio in copies of the real pages and sees that it is found

A ratio is right if it is the quotient, rounded to the digits that it has. The tables are known by their columns:
- "x bare", "x NAME bare" (the lab's programs): a row's rate by that of the row "bare" on the same clock, or of the first row. What
  says "run by run" is measured in pairs, and no quotient;
- "x bare counter", "x fenced counter", "x vDSO" (scripts/bench): a row's ns by those of that row;
- N (R) below a clock's name (scripts/lab/clocks): bare's ns by the row's; N (R) beside "clockshim bench" (scripts/lab/agreement) and
  beside "bare" (README): N by that.
"""
import pathlib
import re
import shutil
import sys
import tempfile

import command

PAGES = ('README.md', 'docs/results/*.md')
CELL = re.compile(r'([\d,.]+) \(\**([\d.]+)\**\)$')


def number(cell):
    """The figure that a cell begins with; None where it has none."""
    match = re.match(r'[\d,]+(?:\.\d+)?', cell)
    return float(match[0].replace(',', '')) if match else None


def tables(text):
    """Yields (header, [(line number, cells)]) of each table."""
    header, rows = None, []
    for at, line in enumerate([*text.splitlines(), ''], 1):
        if line.startswith('|'):
            cells = [cell.strip() for cell in line.strip().removeprefix('|').removesuffix('|').split('|')]
            if header is None:
                header = cells
            elif set(line) - set('|-: '):
                rows.append((at, cells))
        elif header is not None:
            yield header, rows
            header, rows = None, []


def ratios(header, rows):
    """Yields (line, ratio as it is written, over, under) for each ratio of a table."""
    def of_row(wanted):
        return next((cells for _, cells in rows if wanted(cells)), None)

    for at, cells in rows:
        same_clock = of_row(lambda row, clock=cells[0]: row[0] == clock and len(row) > 1 and row[1] == 'bare')
        for column, (name, cell) in enumerate(zip(header, cells)):
            inside = CELL.match(cell)
            if name.startswith('x ') and 'run by run' not in name and cell:
                if header[1] == 'ns':
                    base = of_row(lambda row, name=name: row[0].startswith(name.removeprefix('x ')))
                    yield at, cell, number(cells[1]), number(base[1])
                elif header[1] == 'shim':
                    base = same_clock if name == 'x bare' else rows[0][1]
                    yield at, cell, number(cells[2]), number(base[2])
            elif inside and header[:2] == ['clock', 'shim'] and same_clock:
                yield at, inside[2], number(same_clock[column]), number(cell)
            elif inside and 'clockshim bench' in header:
                yield at, inside[2], number(cell), number(cells[header.index('clockshim bench')])
            elif inside and 'bare' in header:
                yield at, inside[2], number(cell), number(cells[header.index('bare')])


def right(written, quotient):
    """Whether a ratio is the quotient in as many digits as it has; 240 may have two."""
    digits = len(written.partition('.')[2])
    unit = 10 ** -digits if digits else 10 ** min(len(written) - 2, len(written) - len(written.rstrip('0'))) if len(written) > 2 else 1
    return abs(float(written) - quotient) <= unit / 2 + 1e-9


def violations(root):
    """Yields what is wrong."""
    seen = 0
    for page in sorted(page for pattern in PAGES for page in root.glob(pattern)):
        for header, rows in tables(page.read_text(encoding='utf-8')):
            for at, written, over, under in ratios(header, rows):
                seen += 1
                if not right(written, over / under):
                    yield f'{page.relative_to(root)}:{at}: {over:g} / {under:g} is {over / under:.3g}, not {written}'
    if seen < 20:
        yield f'{seen} ratios in all: the tables are not as ratios.py reads them'


# A kind of ratio: what its line looks like. Group 1 is the ratio.
KINDS = (r'\| 2us \| strict \| [\d,]+ \([^|]*\) \| ([\d.]+) \|', r'\| 2us \| strict \| [\d,]+ \([^|]*\) \| [\d.]+ \| ([\d.]+) \|',
         r'\| shim strict, profile sites, C caller \| [\d.]+ \| ([\d.]+) \|', r'\| 2us \| strict \| \d+ \(([\d.]+)\) \|',
         r'\| tsc \| strict \| [\d.]+ \| [\d.]+ \(([\d.]+)\)', r'\| 2 us \| [\d,]+ \| [\d,]+ \(\*\*([\d.]+)\*\*\)')


def self_test(root):
    """Each kind of ratio stands on some page, and is found to be wrong if it is another one."""
    errors = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder)
        shutil.copytree(root / 'docs', copy / 'docs')
        shutil.copy(root / 'README.md', copy)
        before = set(violations(copy))
        for kind in KINDS:
            spoilt = False
            for page in sorted(page for pattern in PAGES for page in copy.glob(pattern)):
                text = page.read_text(encoding='utf-8')
                if match := re.search(kind, text):
                    other = format(float(match[1]) * 1.1, f'.{len(match[1].partition(".")[2])}f')
                    page.write_text(text[:match.start(1)] + other + text[match.end(1):], encoding='utf-8')
                    spoilt = len(set(violations(copy)) - before) == 1
                    page.write_text(text, encoding='utf-8')
                    break
            if not spoilt:
                print(f'self-test: not found: {kind}')
                errors += 1
    print(f'self-test: {len(KINDS) - errors} of {len(KINDS)} cases right')
    return errors


if __name__ == '__main__':
    sys.exit(command.run(__doc__, violations, lambda: self_test(command.ROOT)))
