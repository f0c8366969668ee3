#!/usr/bin/env bash
# Installs what is missing, builds a release and runs it: `./run.sh ARGS` is `cairn ARGS`, without ARGS it serves.
set -euo pipefail
cd "$(dirname "$0")"
. .ci/packages.sh
install_packages "${build_packages[@]}"

log=build/release.log
mkdir -p build
echo "Building (the first time takes a few minutes; details in $log)"
if ! { cmake --preset release && cmake --build --preset release --target cairn; } >"$log" 2>&1; then
  tail -n 40 "$log" >&2
  exit 1
fi
if [ $# -eq 0 ]; then
  set -- serve --config configs/cairn.toml
fi
exec build/release/engine/app/cairn "$@"
