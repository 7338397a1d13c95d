#!/usr/bin/env python3
"""Puts a table into a page, between "<!-- NAME -->" and "<!-- end -->".

usage: put_table.py PAGE NAME TABLE
"""
import pathlib
import sys


def main():
    page, name, table = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    before, mark, rest = page.read_text().partition(f'<!-- {name} -->\n')
    _, end, after = rest.partition('<!-- end -->')
    if not mark or not end:
        sys.exit(f'{page} has no place for the table of {name}')
    page.write_text(before + mark + table.read_text() + end + after)


if __name__ == '__main__':
    main()
