#!/usr/bin/env python3
"""Makes a C++ source that defines the content of text files as constants.

usage: embed.py OUTPUT HEADER NAME=FILE...

HEADER declares each NAME as `extern const char* const`.
"""
import pathlib
import sys

DELIMITER = 'embedded'


def main():
    output, header, *constants = sys.argv[1:]
    out = f'// Made by embed.py.\n#include "{header}"\n\nnamespace clockshim {{\n'
    for constant in constants:
        name, _, path = constant.partition('=')
        text = pathlib.Path(path).read_text(encoding='utf-8')
        if f'){DELIMITER}"' in text or '\0' in text or not text.endswith('\n'):
            sys.exit(f'{path}: must be text that ends in a line feed, without ){DELIMITER}" in it')
        out += f'\nconst char* const {name} = R"{DELIMITER}({text}){DELIMITER}";\n'
    pathlib.Path(output).write_text(out + '\n}  // namespace clockshim\n', encoding='utf-8')


if __name__ == '__main__':
    main()
