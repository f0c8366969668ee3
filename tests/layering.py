#!/usr/bin/env python3
"""Fails when a part of the project includes or links a part that stands above it.

    layering.py [ROOT]

The order is the table of parts in README.md: a part may use itself and what stands below it in ALLOWED, nothing else.
Read are the #include lines of every source and the cairn:: targets in every CMakeLists.txt of the parts. Exit status 0
when all is in order, 1 with one line a fault, 2 when there was nothing to read.
"""
import os
import re
import sys

# What each part may use besides itself. Kept closed under reachability: what a part's own parts may use, it may too.
DIRECT = {
    'engine/core': [],
    'engine/io': ['engine/core'],
    'engine/dicom': ['engine/core'],
    'codec': ['engine/core'],
    'recon': ['engine/core'],
    'engine/net': ['engine/dicom', 'engine/io'],
    'engine/sandbox': ['codec'],
    'engine/store': ['engine/dicom', 'engine/io'],
    'engine/archive': ['engine/store', 'codec'],
    'engine/transcode': ['engine/archive', 'codec'],
    'engine/volumes': ['engine/archive', 'codec', 'recon'],
    'engine/ris': ['engine/archive', 'engine/net'],
    'engine/replica': ['engine/archive', 'engine/net'],
    'engine/dimse': ['engine/archive', 'engine/transcode', 'codec', 'engine/net'],
    'engine/web': ['engine/archive', 'engine/transcode', 'engine/volumes', 'codec', 'engine/net'],
    'engine/demo': ['engine/core', 'engine/dicom'],
}
APP = 'engine/app'
SUFFIXES = ('.h', '.hpp', '.cpp', '.cc', '.cu', '.cuh')
# Test support and sources may use anything; nothing of the product may use them.
OUTSIDE = ('tests', 'bench', 'viewer')


def closure(direct):
    allowed = {}

    def reach(part):
        if part not in allowed:
            allowed[part] = {part}
            for below in direct[part]:
                allowed[part] |= reach(below)
        return allowed[part]

    for part in direct:
        reach(part)
    allowed[APP] = set(direct) | {APP}
    return allowed


def part_of(path, parts):
    return next((p for p in parts if path == p or path.startswith(p + '/')), None)


def targets_of(root, parts):
    """{'cairn::name': part} of every library that a part's CMakeLists.txt makes."""
    found = {'cairn::' + p.split('/')[-1]: p for p in parts}
    for part in parts:
        for folder, _, files in os.walk(os.path.join(root, part)):
            if 'CMakeLists.txt' in files:
                with open(os.path.join(folder, 'CMakeLists.txt'), encoding='utf-8') as f:
                    found.update({'cairn::' + name: part for name in re.findall(r'cairn_library\(\s*(\w+)', f.read())})
    return found


def faults(root):
    """Yields (file, line number, message); counts what was read in faults.read."""
    allowed = closure(DIRECT)
    targets = targets_of(root, allowed)
    faults.read = 0
    for part in allowed:
        for folder, folders, files in os.walk(os.path.join(root, part)):
            folders.sort()
            for name in sorted(files):
                path = os.path.join(folder, name)
                shown = os.path.relpath(path, root)
                if name.endswith(SUFFIXES):
                    pattern = re.compile(r'^\s*#\s*include\s*["<]((?:engine/|codec/|recon/|tests/|bench/|viewer/)[^">]*)[">]')
                elif name == 'CMakeLists.txt' or name.endswith('.cmake'):
                    pattern = re.compile(r'(?<![\w:])(cairn::\w+)')
                else:
                    continue
                faults.read += 1
                with open(path, encoding='utf-8', errors='replace') as text:
                    for number, line in enumerate(text, 1):
                        for used in pattern.findall(line.split('#', 1)[0] if 'cairn::' in line and not name.endswith(SUFFIXES) else line):
                            if used.startswith(OUTSIDE):
                                yield shown, number, f'{part} includes {used}, which is no part of the product'
                                continue
                            other = targets.get(used) if used.startswith('cairn::') else part_of(used, allowed)
                            if other is None:
                                yield shown, number, f'{part} uses {used}, which belongs to no part'
                            elif other not in allowed[part]:
                                verb = 'links' if used.startswith('cairn::') else 'includes'
                                yield shown, number, f'{part} {verb} {used}, which stands above it or beside it'


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), '..'))
    count = 0
    for file, number, message in faults(root):
        print(f'{file}:{number}: {message}')
        count += 1
    if faults.read == 0:
        print(f'layering: no source of any part under {root}')
        return 2
    print(f'layering: {faults.read} files read, {count} faults')
    return 1 if count else 0


if __name__ == '__main__':
    sys.exit(main())
