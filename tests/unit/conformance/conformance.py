#!/usr/bin/env python3
"""The conformance section of README.md is what the server's own tables say.

    conformance.py PROGRAM README.md [--write]      --write puts the tables into the file
"""
import subprocess
import sys

BEGIN, END = '<!-- conformance: written by tests/unit/conformance/conformance.py -->\n', '<!-- end of conformance -->\n'


def main():
    program, readme = sys.argv[1:3]
    tables = subprocess.run([program], capture_output=True, text=True, check=True).stdout
    with open(readme, encoding='utf-8') as f:
        text = f.read()
    head, begin, rest = text.partition(BEGIN)
    old, end, tail = rest.partition(END)
    if not begin or not end:
        sys.exit(f'{readme}: no lines that mark the conformance section')
    if '--write' in sys.argv:
        with open(readme, 'w', encoding='utf-8') as f:
            f.write(head + BEGIN + tables + END + tail)
        return
    if old != tables:
        sys.exit(f'{readme}: the conformance section is out of date; run {sys.argv[0]} {program} {readme} --write')
    print('README.md says what the tables say')


if __name__ == '__main__':
    main()
