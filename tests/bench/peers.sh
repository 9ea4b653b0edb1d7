#!/bin/bash
# Runs the harness on s3levelfs and its peers and writes the table of README.md. Root, /dev/fuse and about 25 minutes on
# an idle machine are needed.
#
#   tests/bench/peers.sh BINARY [more options of fsbench.py run]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
binary=$(readlink -f "$1"); shift
[ "$(id -u)" = 0 ] || { echo "the benchmark mounts in a namespace of its own: run it as root" >&2; exit 1; }

tools=$here/harness/bin
mkdir -p "$tools"
for t in latency-proxy rawlimit loopback; do (cd "$here/harness/$t" && go build -o "$tools/$t" .); done
[ -x "$tools/versitygw" ] || GOBIN=$tools go install github.com/versity/versitygw/cmd/versitygw@v1.8.0
missing=""
for p in s3fs rclone git fusermount3:fuse3; do command -v "${p%%:*}" >/dev/null || missing="$missing ${p##*:}"; done
if [ -n "$missing" ]; then
  echo "installing$missing"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
ln -sf "$binary" "$tools/s3levelfs"
for p in s3fs rclone; do ln -sf "$(command -v "$p")" "$tools/$p"; done

results=$here/results
unset ${!AWS_@} # the harness gives all of them the same; rclone 1.60 mounts nothing with AWS_CA_BUNDLE
export PATH=$tools:$PATH BENCH_BIN=$tools PEERS_BIN=$tools
python3 "$here/harness/fsbench.py" run --best 3 --results "$results" --keep-logs "$results/logs" "$@"
python3 "$here/harness/fsbench.py" table --results "$results" >/dev/null
python3 "$here/table.py" "$results" "$here/../../README.md"
