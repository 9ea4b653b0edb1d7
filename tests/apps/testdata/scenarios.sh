#!/usr/bin/env bash
# Programs at work in a mount. Usage: scenarios.sh NAME
. "$(dirname "$0")/lib.sh"
p=$mnt/private

make_tree() { # make_tree DIR FILES: files of 0 B to 40 KB in nested directories, modes, times, symlinks, empty directories
  local dir=$1 n=$2 i d
  for i in $(seq "$n"); do
    d=$dir/d$((i % 20))/e$((i % 7))
    [ -d "$d" ] || mkdir -p "$d"
    head -c $((i * 7919 % 40000)) /dev/urandom > "$d/file $i.bin"
  done
  mkdir -p "$dir/empty/deep"
  ln -s d1/e1 "$dir/link" && ln -s "nowhere ünï" "$dir/dangling"
  chmod 0600 "$dir/d1/e1"/* && chmod 0755 "$dir/d2/e2"/*
  find "$dir" -type f -name '*1.bin' -exec touch -d '2020-02-03 04:05:06.123456789' {} +
  touch -hd '2019-01-01' "$dir/link"
  # a directory's time is kept where a program sets it, not where an entry changed
  find "$dir" -type d -exec touch -d '2021-05-06 07:08:09' {} +
}

listing() { (cd "$1" && find . -mindepth 1 \( -type f -printf '%P %m %s %T@\n' -o -type l -printf '%P %l\n' -o -type d -printf '%P/ %m\n' \) | sed 's/\(\.[0-9]\{9\}\)0$/\1/' | sort); }

scenario_tree() {
  make_tree "$TOP/tree" 2000
  T=300 t cp -a "$TOP/tree" "$p/tree"
  T=120 t diff -r --no-dereference "$TOP/tree" "$p/tree"
  remount
  T=300 t cp -a "$p/tree" "$TOP/back"
  diff -r --no-dereference "$TOP/tree" "$TOP/back"
  diff <(listing "$TOP/tree") <(listing "$TOP/back")
  T=300 t rm -r "$p/tree"
  [ -z "$(ls "$p")" ] || fail "rm -r left something"
  t "$BIN" sync "$mnt"
  [ -z "$(find "$data" -path '*private*' -type f)" ] || fail "rm -r left objects in the bucket"
}

scenario_git() {
  git init -q "$TOP/src"
  (cd "$TOP/src" && for i in $(seq 200); do echo "$i $RANDOM" > "f$i"; done && git add . && git commit -qm one)
  T=120 t git clone -q "$TOP/src" "$p/clone"
  cd "$p/clone"
  [ -z "$(t git status --porcelain)" ] || fail "clone is dirty"
  for i in 1 2 3; do echo more >> f$i; t git commit -qam "change $i"; done
  T=120 t git gc -q
  T=120 t git fsck --strict
  cd /
  remount
  cd "$p/clone"
  T=120 t git fsck --strict
  [ "$(t git log --oneline | wc -l)" = 4 ] || fail "commits are missing"
  [ -z "$(t git status --porcelain)" ] || fail "dirty after remount"
  cd /
}

scenario_tar() {
  make_tree "$TOP/tree" 300
  (cd "$TOP/tree" && find . -type f -print0 | xargs -0 sha256sum > "$TOP/sums")
  tar --format=pax -cf "$TOP/tree.tar" -C "$TOP/tree" .
  mkdir "$p/x" && T=120 t tar xf "$TOP/tree.tar" -C "$p/x"
  remount
  (cd "$p/x" && T=120 t sha256sum --quiet -c "$TOP/sums")
  diff <(listing "$TOP/tree") <(listing "$p/x")
}

scenario_rsync() {
  make_tree "$TOP/tree" 300
  T=120 t rsync -a "$TOP/tree/" "$p/r/"
  again=$(T=120 t rsync -ai "$TOP/tree/" "$p/r/")
  [ -z "$again" ] || fail "the second rsync transferred: $again"
  remount
  again=$(T=120 t rsync -ai "$TOP/tree/" "$p/r/")
  [ -z "$again" ] || fail "rsync after a fresh mount transferred: $again"
  head -c 3000000 /dev/urandom > "$TOP/tree/big"
  T=60 t rsync -a "$TOP/tree/" "$p/r/"
  printf 'changed' | dd of="$TOP/tree/big" bs=1 seek=1500000 conv=notrunc status=none
  T=60 t rsync -a --ignore-times --inplace --no-whole-file "$TOP/tree/" "$p/r/"
  remount
  cmp "$TOP/tree/big" "$p/r/big"
  T=60 t rsync -a --delete "$TOP/tree/d1/" "$p/r/"
  diff -r --no-dereference "$TOP/tree/d1" "$p/r"
}

scenario_sqlite() {
  db=$p/test.db
  {
    echo 'create table t(i integer primary key, s text);'
    for i in $(seq 1000); do echo "begin; insert into t(s) values('row $i'); commit;"; done
  } | T=180 t sqlite3 "$db"
  [ "$(t sqlite3 "$db" 'select count(*) from t; pragma integrity_check;')" = $'1000\nok' ] || fail "sqlite lost rows"
  remount
  [ "$(t sqlite3 "$db" 'select count(*) from t; pragma integrity_check;')" = $'1000\nok' ] || fail "sqlite lost rows over a remount"
}

scenario_editors() {
  seq 1000 > "$p/numbers"
  t sed -i 's/^500$/five hundred/' "$p/numbers"
  grep -qx 'five hundred' "$p/numbers" || fail "sed -i"
  vi=$(command -v vim || command -v vim.tiny || command -v vi)
  T=30 t "$vi" -e -s -u NONE -c '1s/^1$/first/' -c 'wq' "$p/numbers" < /dev/null || fail "vim"
  [ "$(head -n 1 "$p/numbers")" = first ] || fail "vim did not write"
  ls -A "$p" | grep -v '^numbers$' && fail "editors left files behind"
  remount
  [ "$(head -n 1 "$p/numbers")" = first ] || fail "lost the edit"
  [ "$(wc -l < "$p/numbers")" = 1000 ] || fail "lines lost"
}

scenario_dd() {
  head -c 268435456 /dev/urandom > "$TOP/big"
  T=120 t cp "$TOP/big" "$p/big"
  for at in 0 4095 1048575 134217728 268435400; do
    printf 'EDIT' | dd of="$TOP/big" bs=1 seek=$at conv=notrunc status=none
    printf 'EDIT' | t dd of="$p/big" bs=1 seek=$at conv=notrunc status=none
  done
  T=120 t cmp "$TOP/big" "$p/big"
  remount
  printf 'AGAIN' | dd of="$TOP/big" bs=1 seek=200000000 conv=notrunc status=none
  printf 'AGAIN' | T=120 t dd of="$p/big" bs=1 seek=200000000 conv=notrunc status=none
  T=120 t cmp "$TOP/big" "$p/big"
  T=200 remount
  T=120 t cmp "$TOP/big" "$p/big"
}

scenario_descriptors() {
  exec 5<> "$p/two" 6<> "$p/two"
  printf 'hello world' >&5
  read -r -n 5 -u 6 got || true; [ "$got" = hello ] || fail "second descriptor read '$got'"
  printf 'X' >&6
  exec 5>&- 6>&-
  [ "$(cat "$p/two")" = 'helloXworld' ] || fail "two descriptors: $(cat "$p/two")"

  echo keep > "$p/gone"; exec 5< "$p/gone"; rm "$p/gone"
  [ ! -e "$p/gone" ] || fail "unlinked name is there"
  [ "$(cat <&5)" = keep ] || fail "unlinked file can not be read"; exec 5<&-
  echo stored > "$p/stored"; remount; exec 5< "$p/stored"; rm "$p/stored"
  [ "$(cat <&5)" = stored ] || fail "unlinked stored file can not be read"; exec 5<&-

  echo old > "$p/target"; exec 5< "$p/target"; echo new > "$p/src"; mv "$p/src" "$p/target"
  [ "$(cat <&5)" = old ] || fail "open file changed under rename"; exec 5<&-
  [ "$(cat "$p/target")" = new ] || fail "rename over"
  remount
  [ "$(cat "$p/target")" = new ] || fail "rename over after remount"
  [ ! -e "$p/gone" ] && [ ! -e "$p/stored" ] && [ ! -e "$p/src" ] || fail "removed names are back"
}

scenario_build() {
  mkdir "$p/c" && cat > "$p/c/main.c" <<'C'
#include <stdio.h>
int answer(void);
int main(void) { printf("%d\n", answer()); return 0; }
C
  echo 'int answer(void) { return 42; }' > "$p/c/answer.c"
  (cd "$p/c" && T=60 t gcc -c main.c answer.c && T=60 t gcc -o prog main.o answer.o)
  [ "$("$p/c/prog")" = 42 ] || fail "C program"
  mkdir "$p/go" && cd "$p/go"
  printf 'module hello\n\ngo 1.26\n' > go.mod
  printf 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("from the mount") }\n' > main.go
  GOCACHE=$TOP/gocache GOFLAGS= T=300 t go build -o hello .
  [ "$(./hello)" = "from the mount" ] || fail "Go program"
  cd /
  remount
  [ "$("$p/c/prog")" = 42 ] || fail "C program after remount"
  [ "$("$p/go/hello")" = "from the mount" ] || fail "Go program after remount"
}

scenario_restic() {
  make_tree "$TOP/tree" 200
  export RESTIC_PASSWORD=x RESTIC_CACHE_DIR=$TOP/rc
  T=120 t restic -q -r "$p/repo" init
  T=120 t restic -q -r "$p/repo" backup "$TOP/tree"
  echo changed > "$TOP/tree/new"
  T=120 t restic -q -r "$p/repo" backup "$TOP/tree"
  remount
  T=120 t restic -q -r "$p/repo" check --read-data
  T=120 t restic -q -r "$p/repo" restore latest --target "$TOP/restored"
  diff -r --no-dereference "$TOP/tree" "$TOP/restored$TOP/tree"
  # the mount as the source of a backup, too
  T=60 t cp -a "$TOP/tree" "$p/tree"
  T=120 t restic -q -r "$TOP/repo2" init
  T=120 t restic -q -r "$TOP/repo2" backup "$p/tree"
  T=120 t restic -q -r "$TOP/repo2" restore latest --target "$TOP/restored2"
  diff -r --no-dereference "$TOP/tree" "$TOP/restored2$p/tree"
}

scenario_persistence() {
  umask 022
  mkdir -p "$p/dir/empty" && chmod 0750 "$p/dir/empty"
  echo x > "$p/exec" && chmod 0755 "$p/exec" && touch -d '2021-03-04 05:06:07.5' "$p/exec"
  : > "$p/zero" && chmod 0640 "$p/zero" && touch -d '2018-01-01' "$p/zero"
  ln -s ../private/exec "$p/sym" && ln -s 'ziel mit ü und  Leerzeichen' "$p/sym2"
  touch -d '2017-06-05 04:03:02' "$p/dir/empty" "$p/dir"
  setfattr -n user.colour -v blue "$p/exec"
  want=$(stat -c '%n %f %s %Y' "$p/exec" "$p/zero" "$p/dir" "$p/dir/empty"; readlink "$p/sym" "$p/sym2"; getfattr --only-values -n user.colour "$p/exec" 2>/dev/null)
  remount
  got=$(stat -c '%n %f %s %Y' "$p/exec" "$p/zero" "$p/dir" "$p/dir/empty"; readlink "$p/sym" "$p/sym2"; getfattr --only-values -n user.colour "$p/exec" 2>/dev/null)
  [ "$want" = "$got" ] || fail "attributes changed: $want / $got"
}

scenario_names() {
  local long dir="$p/names"
  long=$(printf 'n%.0s' $(seq 255))
  mkdir "$dir"
  names=('with space' $'new\nline' $'caf\u00e9' $'cafe\u0301' '-dash' 'a%2Fb' 'a+b' "$long" $'tab\there' $'ctl\x01\x1f' $'del\x7f' $'bad\xff\xfeutf' '..dots' '~' 'mid‛dle' 'quote"' "it's" 'a:b' '*' 'trail ')
  for n in "${names[@]}"; do printf '%s' "$n" > "$dir/$n" || fail "create $(printf %q "$n")"; done
  (LC_ALL=C; printf x > "$dir/n$long") 2>"$TOP/err" && fail "256 bytes were accepted"
  grep -q 'File name too long' "$TOP/err" || fail "256 bytes: $(cat "$TOP/err")"
  remount
  [ "$(ls -A "$dir" | wc -c)" -gt 0 ]
  [ "$(find "$dir" -type f -printf . | wc -c)" = "${#names[@]}" ] || fail "$(ls -Ab "$dir")"
  for n in "${names[@]}"; do
    [ "$(cat "$dir/$n"; echo .)" = "$n." ] || fail "content of $(printf %q "$n")"
  done
  for n in "${names[@]}"; do rm -- "$dir/$n" || fail "remove $(printf %q "$n")"; done
  rmdir "$dir"
}

mount_fresh
"scenario_$1"
unmount
ok=1
echo "ok $1"
