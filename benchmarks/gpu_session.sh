#!/usr/bin/env bash
# On a machine with a GPU and without a network: every figure, from an archive made before by
#     python -m benchmarks.gpu_session pack --from-encoder ENCODER --from-data WIKIANN
# Usage: benchmarks/gpu_session.sh [ARCHIVE [RESULTS [MINUTES [OPTION ...]]]]
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
archive=${1:-.gpu-session/carried.tar.gz} results=${2:-gpu-session-results} minutes=${3:-9}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m tarfile -e "$archive" "$folder" >/dev/null
PYTHONUNBUFFERED=1 "$python" -m benchmarks.gpu_session --encoder "$folder/encoder" \
  --data "$folder/data" --wheels "$folder/wheels" --out "$results" --minutes "$minutes" "${@:4}"
