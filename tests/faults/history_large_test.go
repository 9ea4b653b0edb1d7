package faults

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/history"
)

// The history's large files have a head, the text that the history knows them by, and behind it bytes that follow from
// the first word of that text: a program that changes the head of such a file needs the rest of the version that it has
// opened, which nobody has fetched. A mixture of two versions shows.
const (
	headBytes = 4096
	fetched   = 3 << 20  // a change fetches the rest
	copied    = 20 << 20 // the store copies the rest, with --pin-base 5MiB
)

// largeKeys are the large files and their sizes.
func largeKeys() map[string]int {
	return map[string]int{"public/history-fetched": fetched, "public/history-copied": copied}
}

// body is a file of a history. One with a size is a large one.
func body(text string, size int) []byte {
	if size == 0 {
		return []byte(text)
	}
	first, _, _ := strings.Cut(text, ">")
	h := fnv.New64a()
	_, _ = io.WriteString(h, first) // never fails
	p := noise(h.Sum64(), size)
	copy(p, bytes.Repeat([]byte{'.'}, headBytes))
	copy(p, text)
	return p
}

// textOf is what a history knows a file by.
func textOf(p []byte) string {
	if len(p) < headBytes {
		return string(p)
	}
	text := strings.TrimRight(string(p[:headBytes]), ".")
	if !bytes.Equal(p, body(text, len(p))) {
		return fmt.Sprintf("a mixture of %d bytes, %x, with the head %q", len(p), sha256.Sum256(p), text)
	}
	return text
}

// strand changes the head of a large file while the server is away, which the close does not wait for: until the rest of
// the file can be had, the direct writer may have replaced it.
func (w *world) strand(h *history.History, name string, rnd *rand.Rand) {
	r := history.Write{Writer: name, Key: "public/history-fetched"}
	if rnd.IntN(3) == 0 {
		r.Key = "public/history-copied"
	}
	f, err := os.OpenFile(filepath.Join(w.Dir, r.Key), os.O_RDWR, 0)
	if err != nil {
		return
	}
	head := make([]byte, headBytes)
	_, err = f.ReadAt(head, 0)
	r.Base = strings.TrimRight(string(head), ".")
	r.Bytes = r.Base + h.Tag(name)
	w.Proxy.SetDown(true)
	if err == nil && len(r.Bytes) < headBytes {
		copy(head, r.Bytes)
		_, err = f.WriteAt(head, 0)
	} else {
		err = io.ErrShortBuffer // not written at all
	}
	closed := f.Close()
	r.Acked = err == nil && closed == nil
	h.Wrote(r)
	<-time.After(time.Duration(rnd.IntN(3000)) * time.Millisecond) // the direct writer acts meanwhile
	w.Proxy.SetDown(false)
}
