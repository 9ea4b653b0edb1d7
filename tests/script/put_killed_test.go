package script

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dustin/go-humanize"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// killedForm is how large the file is and how often its put is killed; S3LEVELFS_PUT (a size) makes it the long form.
func killedForm(t *testing.T) (size int64, kills int) {
	t.Helper()
	const short, shortKills, longKills = 96 << 20, 5, 20
	text := os.Getenv("S3LEVELFS_PUT")
	if text == "" {
		return short, shortKills
	}
	n, err := humanize.ParseBytes(text)
	if err != nil {
		t.Fatalf("S3LEVELFS_PUT: %v", err)
	}
	return int64(n), longKills
}

// noiseFile makes a file in which no part is like another, and tells its checksum.
func noiseFile(t *testing.T, dir string, size int64) (name, sum string) {
	t.Helper()
	name = filepath.Join(dir, "file")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8([32]byte{7}), size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name, string(h.Sum(nil))
}

// killPut starts a put and kills it as the last of so many writes begins.
func killPut(t *testing.T, cmd *exec.Cmd, proxy *rig.Proxy, writes int) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for range writes {
		_, began := proxy.Writing()
		select {
		case <-began:
		case err := <-ended:
			t.Fatalf("it has ended before it was killed: %v", err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	if err := <-ended; err == nil {
		t.Error("the put was not killed")
	}
}

// TestPutKilled: a put that is killed again and again, in the middle of a part of its choice, sends at most one part again for each time, and
// the object is the file.
func TestPutKilled(t *testing.T) {
	size, kills := killedForm(t)
	server := rig.StartServer(t, filepath.Join(t.TempDir(), "data"))
	proxy := rig.StartProxy(t, server.Endpoint)
	dir := t.TempDir()
	name, sum := noiseFile(t, dir, size)
	put := func() *exec.Cmd {
		cmd := exec.Command(rig.Bin, "put", "--endpoint", proxy.Endpoint, "--bucket", rig.Bucket, "--path-style", "--identity-id", rig.Identity, name, "big")
		cmd.Env = append(server.Env, "HOME="+dir)
		cmd.Stderr = os.Stderr
		return cmd
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range kills {
		killPut(t, put(), proxy, 1+random.IntN(4))
	}
	if out, err := put().Output(); err != nil || string(out) != "{\"key\":\"big\"}\n" {
		t.Fatalf("the last put: %q, %v", out, err)
	}
	parts, begun := 0, 0
	for _, r := range proxy.Take() {
		switch r.Op() {
		case "UploadPart":
			parts++
		case "CreateMultipartUpload":
			begun++
		}
	}
	const partSize = 8 << 20
	need := int((size + partSize - 1) / partSize)
	t.Logf("%s in %d parts, killed %d times: %d parts sent, %d of them again, %d uploads begun", humanize.IBytes(uint64(size)), need, kills, parts, parts-need, begun)
	if parts-need > kills || parts < need {
		t.Errorf("%d parts sent again after %d interruptions", parts-need, kills)
	}
	body, _, err := server.Client(t).Get(t.Context(), "public/big", store.All, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	got := sha256.New()
	if _, err := io.Copy(got, body); err != nil || string(got.Sum(nil)) != sum {
		t.Errorf("the object is not the file: %v", err)
	}
}
