#!/usr/bin/env bash
# From nothing to the files in models/: draws, trains, exports, calibrates.
#   training/train.sh WORK_FOLDER [SCALE]     SCALE multiplies the training times (1.0: about nine hours on one core)
set -euo pipefail
cd "$(dirname "$0")/.."
work=${1:?usage: training/train.sh WORK_FOLDER [SCALE]}
scale=${2:-1.0}
python=${PYTHON:-python3}
minutes() { awk -v m="$1" -v s="$scale" 'BEGIN { print m * s }'; }
mkdir -p "$work"

# Seeds are fixed; how many steps fit into the minutes depends on the machine.
"$python" -m training.train_finders --minutes "$(minutes 220)" --seed 1 --out "$work/finders"
"$python" -m training.train_reader --minutes "$(minutes 300)" --seed 1 --out "$work/reader"
"$python" -m training.export --reader "$work/reader" --finders "$work/finders" --out models

"$python" -m training.draw --purpose calibrate --seed 21 --count 3000 --out "$work/calibrate"
"$python" -m training.draw --purpose calibrate --seed 22 --count 3000 --out "$work/calibrate-more"
"$python" -m training.draw --purpose calibrate --seed 23 --count 1000 --degraded --out "$work/calibrate-degraded"
"$python" -m training.draw --purpose calibrate --seed 61 --count 600 --legible --out "$work/calibrate-legible"
"$python" -m training.draw --purpose calibrate --seed 24 --count 300 --bare --out "$work/calibrate-bare"
npm run build
for set in calibrate calibrate-more calibrate-legible calibrate-degraded calibrate-bare; do
  node training/measure.mjs --source "$work/$set" --dump "$work/$set.ndjson"
done
cat "$work"/calibrate{,-more,-legible}.ndjson >"$work/threshold.ndjson"
"$python" -m training.calibrate --features "$work"/{threshold,calibrate-degraded,calibrate-bare}.ndjson --out models/engine.json
{ date -u +%FT%TZ; "$python" --version; "$python" -m pip freeze; git rev-parse HEAD; } > "$work/versions.txt"
