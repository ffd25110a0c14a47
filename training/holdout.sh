#!/usr/bin/env bash
# The drawn hold-out: layouts, faces, strokes and seeds that no training drew. Draws it where it is not yet, then measures.
#   training/holdout.sh WORK_FOLDER [COUNT]     COUNT legible cards (10,000: about an hour), and a tenth as many degraded ones
set -euo pipefail
cd "$(dirname "$0")/.."
work=${1:?usage: training/holdout.sh WORK_FOLDER [COUNT]}
count=${2:-10000}
python=${PYTHON:-python3}
slice=500

npm run build
# In slices, so that an interrupted drawing goes on where it was.
draw() { # name, cards, options
  local name=$1 cards=$2 first
  shift 2
  mkdir -p "$work/$name"
  for ((first = 0; first < cards; first += slice)); do
    local part="$work/$name/$first" wanted=$((cards - first < slice ? cards - first : slice))
    [ "$(($(wc -l 2>/dev/null <"$part/scenes.ndjson" || echo 0)))" -eq "$wanted" ] && continue
    "$python" -m training.draw --seed 1 --first "$first" --count "$wanted" --out "$part" "$@"
  done
}
draw legible "$count" --holdout
draw degraded "$((count / 10))" --holdout --degraded
for name in legible degraded; do
  echo "== $name"
  sources=()
  for part in "$work/$name"/*; do sources+=(--source "$part"); done
  node training/measure.mjs "${sources[@]}"
done
