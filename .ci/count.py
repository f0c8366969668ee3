#!/usr/bin/env python3
"""Prints "passed failed skipped" of a CTest JUnit report. Exit status 1 when there is none or it holds no test.

A Google Test or unittest program counts as the tests in it, by its own summary; anything else as one.
"""
import re
import sys
import xml.etree.ElementTree as ET


def number(pattern, text):
    found = re.findall(pattern, text, re.MULTILINE)
    return int(found[-1]) if found else 0


def count(case):
    text = case.findtext('system-out') or ''
    skip = case.find('skipped')
    if case.get('status') in ('notrun', 'disabled'):
        # Skipped on its own account (SKIP_RETURN_CODE), or a program that was not there to run.
        return (0, 0, 1) if skip is not None and 'SKIP' in (skip.get('message') or '') else (0, 1, 0)
    passed = number(r'^\[  PASSED  \] (\d+) test', text)
    skipped = number(r'^\[  SKIPPED \] (\d+) test', text)
    failed = number(r'^\[  FAILED  \] (\d+) test', text)
    ran = number(r'^Ran (\d+) tests? in', text)
    if ran:
        skipped = number(r'skipped=(\d+)', text)
        failed = number(r'failures=(\d+)', text) + number(r'errors=(\d+)', text)
        passed = ran - skipped - failed
    if case.find('failure') is not None or case.find('error') is not None or case.get('status') == 'fail':
        return passed, max(failed, 1), skipped
    return (passed, failed, skipped) if passed + skipped else (1, 0, 0)


def main():
    try:
        cases = ET.parse(sys.argv[1]).getroot().findall('.//testcase')
    except (OSError, ET.ParseError) as fault:
        sys.exit(f'{sys.argv[1]}: {fault}')
    if not cases:
        sys.exit(f'{sys.argv[1]}: no test ran')
    print(*[sum(column) for column in zip(*map(count, cases))])


if __name__ == '__main__':
    main()
