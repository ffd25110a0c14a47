#!/bin/sh
# read-image.sh <image> [ref]: sends an image and prints its request with the outcome.
# curl repeats what passes (--retry: 408, 429, 5xx, as Retry-After says), under one key, so that it stays one request.
set -eu
image=$1
ref=${2:-}
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
exec curl --silent --show-error --fail-with-body --retry 5 --retry-connrefused \
  --header "Authorization: Bearer $CARDBATCH_KEY" \
  --header "Idempotency-Key: $key" \
  --form "image=@$image" --form "ref=$ref" \
  "$CARDBATCH_URL/v1/images?wait=30s"
