#!/usr/bin/env bash
# The targets that the sanitizer build needs: unit and property tests, corpus replays and fuzzers, nothing else.
set -euo pipefail
ninja -C "$1" -t targets all | sed -n 's/^\(\(fuzz\|replay\)_[a-z0-9_]*\|[a-z0-9_]*_tests\): .*/\1/p' | sort -u
