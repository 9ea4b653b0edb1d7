package uploader

import (
	"hash/crc32"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestSumsAreOfWhatWasWritten: whatever is written, cut and written again, at the same time or one after the other: a checksum that
// is told is that of the bytes.
func TestSumsAreOfWhatWasWritten(t *testing.T) {
	t.Parallel()
	const part, most = 16, 5 * 16
	told := 0
	rapid.Check(t, func(t *rapid.T) {
		tr := newTracker(layout{first: part, max: part})
		file := make([]byte, most)
		var touched [most]bool // by what has begun
		var under []touch
		end := func(i int) {
			s := under[i]
			copy(file[s.off:], s.data)
			if s.data == nil {
				clear(file[min(s.off, most):min(s.span.end, most)])
			}
			tr.end(s, rapid.IntRange(0, 9).Draw(t, "ok") > 0)
			under = append(under[:i], under[i+1:]...)
		}
		next := int64(0)
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				off := rapid.SampledFrom([]int64{next, next, next, 0, part, int64(rapid.IntRange(0, most-1).Draw(t, "off"))}).Draw(t, "where")
				if off >= most {
					off = 0
				}
				data := rapid.SliceOfN(rapid.Byte(), 1, int(min(most-off, 2*part+3))).Draw(t, "data")
				next = off + int64(len(data))
				under = append(under, tr.begin(span{off: off, end: next, data: data}))
				for i := off; i < next; i++ {
					touched[i] = true
				}
			},
			"cut": func(t *rapid.T) {
				off := int64(rapid.IntRange(0, most-1).Draw(t, "off"))
				cut := span{off: off, end: rapid.SampledFrom([]int64{toEnd, off + 3}).Draw(t, "end")}
				under = append(under, tr.begin(cut))
				for i := off; i < min(cut.end, most); i++ {
					touched[i] = true
				}
			},
			"end": func(t *rapid.T) {
				if len(under) > 0 {
					end(rapid.IntRange(0, len(under)-1).Draw(t, "which"))
				}
			},
			"end all": func(*rapid.T) {
				for len(under) > 0 {
					end(0)
				}
			},
			"": func(t *rapid.T) {
				for off := int64(0); off < most; off += 3 {
					for _, n := range []int64{1, part / 2, part, 2 * part} {
						end := min(off+n, most)
						if tr.untouched(off, end-off) && slices.Contains(touched[off:end], true) {
							t.Fatalf("[%d, %d) passes for untouched: %v", off, end, touched)
						}
					}
				}
				for i := range most / part {
					for n := int64(1); n <= part; n++ {
						sum, ok := tr.sumOf(i, n)
						if !ok {
							continue
						}
						told++
						if b := file[int64(i)*part:][:n]; sum != crc32.ChecksumIEEE(b) {
							t.Fatalf("part %d, %d bytes: the sum is not that of %v", i, n, b)
						}
					}
				}
			},
		})
	})
	if told == 0 {
		t.Error("no sum was ever told")
	}
}

// TestSequentialWritesHaveSums: a file that is written from its beginning to its end is not read for its checksums, its last part
// included; what is rewritten in the middle of a part is.
func TestSequentialWritesHaveSums(t *testing.T) {
	t.Parallel()
	tr := newTracker(layout{first: 100, max: 100})
	write := func(off, n int64) { tr.end(tr.begin(span{off: off, end: off + n, data: make([]byte, n)}), true) }
	for off := int64(0); off < 350; off += 7 {
		write(off, min(7, 350-off))
	}
	for i, n := range []int64{100, 100, 100, 50} {
		if _, ok := tr.sumOf(i, n); !ok {
			t.Errorf("part %d has none", i)
		}
	}
	write(150, 1)
	if _, ok := tr.sumOf(1, 100); ok {
		t.Error("a rewritten part has the sum of what it was")
	}
}
