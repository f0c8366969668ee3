#!/usr/bin/env bash
# Installs what is missing, builds with warnings as errors, runs every test, then the unit tests and fuzzers again under
# the address and undefined-behaviour sanitizers. The last line is `N passed, N failed, N skipped`.
#
#   DICOM_TEST_DATA_DIR   real DICOM files (default ../shared/data); tests that need them are skipped without
#   CAIRN_FUZZ_SECONDS    time for all fuzzers together (default 60)
#   CAIRN_TEST_JOBS       builds and tests at once (default: the number of processors)
set -uo pipefail
cd "$(dirname "$0")" || exit 1
. .ci/packages.sh
install_packages "${build_packages[@]}" "${test_packages[@]}" || exit 1
install_web_clients

export DICOM_TEST_DATA_DIR=${DICOM_TEST_DATA_DIR:-$(realpath -m ../shared/data)}
jobs=${CAIRN_TEST_JOBS:-$(nproc)}
fuzz_seconds=${CAIRN_FUZZ_SECONDS:-60}
passed=0 failed=0 skipped=0

summary() {
  echo "$passed passed, $failed failed, $skipped skipped"
  if [ "$failed" -gt 0 ] || [ "$passed" -eq 0 ]; then exit 1; fi
  exit 0
}

# A build that breaks is one failure.
build() {  # PRESET TARGET...
  local preset=$1
  shift
  echo "== build $preset"
  local targets=()
  [ $# -gt 0 ] && targets=(--target "$@")
  cmake --preset "$preset" >/dev/null && cmake --build --preset "$preset" -j "$jobs" "${targets[@]}" && return 0
  echo "FAILED: build $preset"
  failed=$((failed + 1))
  return 1
}

# Counts come from CTest's own report, which knows skipped from passed.
run_ctest() {  # NAME BUILD-FOLDER CTEST-ARGUMENT...
  local name=$1 folder=$2 report counts
  shift 2
  report=$PWD/$folder/report.xml
  rm -f "$report"
  echo "== test $name"
  ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$jobs" --timeout 900 \
    --test-output-size-passed 4000000 --test-output-size-failed 4000000 --output-junit "$report" "$@"
  if ! counts=$(python3 .ci/count.py "$report"); then
    echo "FAILED: $name left no report"
    failed=$((failed + 1))
    return
  fi
  read -r p f s <<<"$counts"
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

if build ci; then
  run_ctest "release" build/ci -LE alone
  # Servers under load and the power cut have the machine to themselves.
  jobs=1 run_ctest "release, one at a time" build/ci -L alone
fi

mapfile -t sanitized < <(cmake --preset asan >/dev/null && .ci/sanitized_targets.py build/asan)
if [ ${#sanitized[@]} -eq 0 ]; then
  echo "FAILED: no target for the sanitizers"
  failed=$((failed + 1))
elif build asan "${sanitized[@]}"; then
  run_ctest "sanitizers" build/asan -L unit
  mapfile -t fuzzers < <(find build/asan -name 'fuzz_*' -type f -perm -u+x | sort)
  [ ${#fuzzers[@]} -eq 0 ] && { echo "FAILED: no fuzzer was built"; failed=$((failed + 1)); }
  for fuzzer in "${fuzzers[@]}"; do
    name=$(basename "$fuzzer")
    each=$(((fuzz_seconds + ${#fuzzers[@]} - 1) / ${#fuzzers[@]}))
    work=$(mktemp -d)
    echo "== fuzz $name for $each s"
    # New inputs go to a folder of their own: the corpus in the tree is only read. One seed, so that a run can be repeated;
    # campaigns by hand take others.
    if "$fuzzer" -max_total_time="$each" -seed=1 -timeout=20 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
        -artifact_prefix="build/asan/$name-" "$work" "tests/fuzz/corpus/${name#fuzz_}" >"$work.log" 2>&1; then
      passed=$((passed + 1))
    else
      tail -n 60 "$work.log"
      echo "FAILED: $name (input kept as build/asan/$name-*)"
      failed=$((failed + 1))
    fi
    rm -rf "$work" "$work.log"
  done
fi
summary
