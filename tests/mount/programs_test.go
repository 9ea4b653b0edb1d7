package mount_test

import (
	"testing"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// TestPrograms: what people run on file systems, each as one shell script in a
// directory of its own. /tmp is a disk to compare with.
func TestPrograms(t *testing.T) {
	scripts := []struct{ name, script string }{
		{"cp -a and back", `
			src=$(mktemp -d); for d in 1 2 3 4 5; do mkdir -p $src/$d/sub "$src/$d/with space"
			  for i in $(seq 20); do head -c $((i*997)) /dev/urandom > $src/$d/$i; echo $i > $src/$d/sub/$i; : > "$src/$d/with space/$i"; done
			  ln -s ../1/1 $src/$d/link; chmod 750 $src/$d/sub; touch -d 2003-04-05T06:07:08 $src/$d/1; done
			cp -a $src there; diff -r --no-dereference $src there
			cp -a there $src.back; diff -r --no-dereference $src $src.back
			(cd $src; find . -printf '%p %m %T@ %l\n' | sort) > $src.list; (cd $src.back; find . -printf '%p %m %T@ %l\n' | sort) | diff $src.list -
			rm -rf $src $src.back $src.list there; test -z "$(ls -A)"`},
		{"git", `
			export GIT_CONFIG_NOSYSTEM=1 HOME=$PWD GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
			git init -q -b main repo; cd repo; for i in $(seq 30); do echo $i > file$i; done; git add .; git commit -q -m one
			for i in 1 2 3; do echo more >> file1; git commit -q -a -m $i; done
			git fsck --strict; git gc -q; git clone -q . ../clone; cd ../clone; git fsck --strict; test -z "$(git status --porcelain)"`},
		{"rsync", `
			src=$(mktemp -d); for i in $(seq 40); do head -c 3000 /dev/urandom > $src/$i; done
			rsync -a $src/ copy/; test "$(rsync -a --itemize-changes $src/ copy/)" = ""
			echo changed >> $src/7; rsync -a --inplace $src/ copy/; diff -r $src copy; rm -rf $src`},
		{"tar", `
			src=$(mktemp -d); mkdir $src/t; for i in $(seq 40); do head -c 5000 /dev/urandom > $src/t/$i; done
			(cd $src; sha256sum t/* > sums; tar cf t.tar t sums); tar xf $src/t.tar; sha256sum --quiet -c sums; rm -rf $src`},
		{"edit in place", `
			printf 'one\ntwo\n' > f; sed -i s/two/three/ f; printf 'one\nthree\n' | cmp - f
			head -c 3000000 /dev/zero > big; printf X | dd of=big bs=1 seek=1500000 conv=notrunc status=none
			test $(tr -d '\0' < big) = X; test $(stat -c %s big) = 3000000
			truncate -s 10 big; test $(stat -c %s big) = 10; echo more >> big; test $(stat -c %s big) = 15`},
		{"executable", `
			cp /bin/true prog; chmod +x prog; ./prog
			printf '#!/bin/sh\necho ran\n' > script; chmod +x script; test "$(./script)" = ran
			chmod -x script; ! ./script 2>/dev/null`},
		{"sqlite", `
			{ echo 'PRAGMA journal_mode=DELETE; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);'
			  for i in $(seq 100); do echo "BEGIN; INSERT INTO t(b) VALUES('row $i'); COMMIT;"; done; } | sqlite3 db
			test "$(sqlite3 db 'PRAGMA integrity_check; SELECT count(*) FROM t;')" = "ok
100"`},
		{"sqlite wal", `
			{ echo 'PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);'
			  for i in $(seq 100); do echo "INSERT INTO t(b) VALUES('row $i');"; done; } | sqlite3 db
			test "$(sqlite3 db 'PRAGMA integrity_check; SELECT count(*) FROM t;')" = "ok
100"`},
		{"find and rm -r", `
			mkdir -p a/b/c d; for i in $(seq 100); do : > a/b/c/$i; done
			test $(find . -type f | wc -l) = 100; test $(du -a a | wc -l) = 103; rm -r a; test "$(ls)" = d`},
	}
	mount.Run(t, mount.Options{Daemon: daemonName}, func(t *testing.T, m *mount.Mount) {
		for _, s := range scripts {
			t.Run(s.name, func(t *testing.T) {
				script := "set -eu; mkdir '" + s.name + "'; cd '" + s.name + "'\n" + s.script
				if out, err := m.Command(t.Context(), "private", "bash", "-c", script).CombinedOutput(); err != nil {
					t.Errorf("%v:\n%s", err, out)
				}
			})
		}
	})
}
