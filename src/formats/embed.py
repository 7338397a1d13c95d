#!/usr/bin/env python3
"""Makes a C++ source that defines the content of text files as constants.

usage: embed.py OUTPUT HEADER

HEADER stands in the files' folder, and declares each constant in a line of its own, whose comment begins with the file's name:
`extern const char* const kName;  // file`.
"""
import pathlib
import re
import sys

DELIMITER = 'embedded'
DECLARED = re.compile(r'^extern const char\* const (\w+);\s*// ([\w.]+\.(?:css|js))\b', re.M)


def main():
    output, header = map(pathlib.Path, sys.argv[1:])
    constants = DECLARED.findall(header.read_text(encoding='utf-8'))
    if not constants:
        sys.exit(f'{header}: declares no constant with a file')
    out = f'// Made by embed.py.\n#include "formats/{header.name}"\n\nnamespace clockshim {{\n'
    for name, file in constants:
        text = (header.parent / file).read_text(encoding='utf-8')
        if f'){DELIMITER}"' in text or '\0' in text or not text.endswith('\n'):
            sys.exit(f'{file}: must be text that ends in a line feed, without ){DELIMITER}" in it')
        out += f'\nconst char* const {name} = R"{DELIMITER}({text}){DELIMITER}";\n'
    output.write_text(out + '\n}  // namespace clockshim\n', encoding='utf-8')


if __name__ == '__main__':
    main()
