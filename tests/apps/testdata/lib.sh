# Shared by the scenarios: one mount in a mount namespace of its own, ended whatever happens.
# BIN is the program, TOP an empty directory, MODE local or endpoint.
set -euo pipefail
export LC_ALL=C.UTF-8 HOME=$TOP/home XDG_RUNTIME_DIR=$TOP/run TMPDIR=$TOP/tmp
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t.invalid GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t.invalid GIT_CONFIG_NOSYSTEM=1
mnt=$TOP/mnt data=$TOP/data
mkdir -p "$HOME" "$XDG_RUNTIME_DIR" "$TMPDIR" "$mnt" "$data"
chmod 700 "$XDG_RUNTIME_DIR"
caches=0 server=

fail() { echo "FAIL: $*" >&2; exit 1; }
t() { timeout "${T:-120}" "$@"; }

start_server() {
  "$BIN" local --json --data "$data" --listen 127.0.0.1:0 --bucket apps > "$TOP/server.json" 2> "$TOP/server.log" &
  server=$!
  for _ in $(seq 200); do
    [ -s "$TOP/server.json" ] && break
    kill -0 "$server" 2>/dev/null || { cat "$TOP/server.log" >&2; fail "server ended"; }
    sleep 0.05
  done
  endpoint=$(sed -n 's/.*"endpoint": "\(.*\)".*/\1/p' "$TOP/server.json")
  # shellcheck disable=SC1090
  . "$(sed -n 's/.*"credentials_file": "\(.*\)".*/\1/p' "$TOP/server.json")"
  export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
}

# mount_fresh mounts with an empty cache directory, so that everything is asked of the bucket again.
mount_fresh() {
  caches=$((caches + 1))
  local opts=(--state-dir "$TOP/state" --cache-dir "$TOP/cache$caches" --log-file "$TOP/mount.log" --log-level info)
  case $MODE in
    local) opts+=(--local "$data") ;;
    endpoint)
      [ -n "$server" ] || start_server
      opts+=(--bucket apps --endpoint "$endpoint" --path-style --identity-id us-east-1:11111111-2222-3333-4444-555555555555) ;;
  esac
  t "$BIN" mount "${opts[@]}" "$@" "$mnt"
}

unmount() { t "$BIN" umount "$mnt"; }
remount() { unmount; mount_fresh "$@"; }

cleanup() {
  umount -l "$mnt" 2>/dev/null || true
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  if [ "${ok:-}" != 1 ] && [ -s "$TOP/mount.log" ]; then tail -n 30 "$TOP/mount.log" >&2; fi
}
trap cleanup EXIT

# bucket_file prints where the embedded bucket has the object of a key's tail.
bucket_file() { find "$data" -path "*/$1" | head -n 1; }
