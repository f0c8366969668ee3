#!/usr/bin/env python3
"""Prints the targets that the sanitizer build needs: the programs of tests with the label `unit`, and all fuzzers.

    sanitized_targets.py BUILD-FOLDER      (configured, not yet built)
"""
import os
import re
import subprocess
import sys

build = os.path.abspath(sys.argv[1])
programs, unit = {}, set()
for folder, _, files in os.walk(build):
    if 'CTestTestfile.cmake' not in files:
        continue
    with open(os.path.join(folder, 'CTestTestfile.cmake')) as f:
        for line in f:
            test = re.match(r'add_test\(\[=\[(.+?)\]=\] "([^"]+)"', line)
            if test:
                programs[test[1]] = test[2]
            labelled = re.match(r'set_tests_properties\(\[=\[(.+?)\]=\].*LABELS "([^"]*)"', line)
            if labelled and 'unit' in labelled[2].split(';'):
                unit.add(labelled[1])
targets = {os.path.relpath(p, build) for name, p in programs.items() if name in unit and p.startswith(build + os.sep)}
known = subprocess.run(['ninja', '-C', build, '-t', 'targets', 'all'], capture_output=True, text=True, check=True).stdout
targets |= set(re.findall(r'^(fuzz_\w+): ', known, re.MULTILINE))
print('\n'.join(sorted(targets)))
