#!/usr/bin/env bash
# The long versions of the crash tests, for a release or after a change to the store: about an hour. As root, on a machine
# with a journaled file system below CAIRN_TEST_DIR (default: the temporary folder). Ends at the first broken promise.
#
#   tests/crash/process/campaign.sh [BUILD]      BUILD: build/release by default
#
# CAIRN_CAMPAIGN_ROUNDS: rounds of killing, 100 by default; the other tests are scaled with it (10: about ten minutes).
set -euo pipefail
root=$(cd "$(dirname "$0")/../../.." && pwd)
build=${1:-$root/build/release}
cd "$root/tests/crash/process"
export CAIRN_BINARY=$build/engine/app/cairn CAIRN_LOAD=$build/bench/load/cairn_load
export CAIRN_FORGETFUL_FS=$build/tests/crash/process/forgetful_fs
export CAIRN_LYING_FLUSH_LIBRARY=$build/tests/crash/process/libcairn_lying_flush.so

rounds=${CAIRN_CAMPAIGN_ROUNDS:-100}
some=$(((rounds + 4) / 5)) few=$(((rounds + 9) / 10))

python3 kill_under_load.py --rounds "$rounds"
python3 kill_under_load.py --rounds "$some" --io plain
python3 power_cut.py --disk ext4 --rounds "$some"
python3 power_cut.py --disk forgetful --rounds "$some"
python3 power_cut.py --disk forgetful --rounds "$few" --io plain
python3 power_cut.py --disk forgetful --lie none --expect-loss
python3 power_cut.py --disk forgetful --lie late --expect-loss
python3 failing_disk.py --rounds "$few"
python3 full_disk.py
python3 compaction.py --rounds "$some"
python3 flipped_bits.py --flips $((2 * rounds))
python3 lost_index.py
python3 removal_races.py --rounds "$some"
echo "All promises kept."
