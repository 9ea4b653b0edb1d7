#!/usr/bin/env bash
# The main job on the embedded S3: mount, show the levels, copy a file in, find it in the bucket.
# Everything lives below one directory; the mount stays for you to play with.
set -euo pipefail

bin=$1
top=${S3LEVELFS_DEMO:-$HOME/s3levelfs-demo}
mnt=$top/cloud data=$top/data
mkdir -p "$mnt" "$data"
options=(--local "$data" --state-dir "$top/state" --cache-dir "$top/cache")

say() { printf '\n$ %s\n' "$*"; }

if mountpoint -q "$mnt"; then
  echo "the demo is mounted already at $mnt"
else
  say s3levelfs mount "${options[@]}" "$mnt"
  "$bin" mount "${options[@]}" "$mnt"
fi

say ls "$mnt"
ls "$mnt"

echo "hello from $(date -u +%FT%TZ)" > "$top/hello.txt"
say cp "$top/hello.txt" "$mnt/private/"
cp "$top/hello.txt" "$mnt/private/"
say s3levelfs sync "$mnt"
"$bin" sync "$mnt"
say s3levelfs explain "$mnt/private/hello.txt"
"$bin" explain "$mnt/private/hello.txt"

found=$(find "$data" -path '*/private/*/hello.txt' | head -n 1)
[ -n "$found" ] || { echo "hello.txt did not arrive in the bucket" >&2; exit 1; }
cmp "$top/hello.txt" "$found"
echo
echo "In the embedded bucket it is the plain file"
echo "  $found"

cat <<END

The bucket's levels are mounted at $mnt: use it as any directory.
  public/               everybody's
  protected/<id>/       readable by all, written by its owner; protected/me is yours
  private/              yours alone

  $bin status           what is waiting to be uploaded
  $bin sync             wait until it is in the bucket
  $bin umount $mnt      wait, then unmount
  rm -r $top            remove the demo's data (after unmounting)
END
