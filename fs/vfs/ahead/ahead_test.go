package ahead

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// positions lists what a Next stands for.
func (n Next) positions() []int {
	var out []int
	for i := range n.Count {
		out = append(out, n.From+i*n.Step)
	}
	return out
}

func TestRuns(t *testing.T) {
	for name, tc := range map[string]struct {
		total int
		reads []int
		want  [][]int // after each read
	}{
		"forwards":                     {100, []int{0, 1, 2, 3, 4, 5}, [][]int{nil, nil, {3, 4}, {5, 6, 7}, {8}, {9}}},
		"from the middle":              {100, []int{50, 51, 52}, [][]int{nil, nil, {53, 54}}},
		"backwards":                    {100, []int{9, 8, 7, 6}, [][]int{nil, nil, {6, 5}, {4, 3, 2}}},
		"to the end":                   {5, []int{0, 1, 2, 3, 4}, [][]int{nil, nil, {3, 4}, nil, nil}},
		"back to the beginning":        {5, []int{4, 3, 2, 1, 0}, [][]int{nil, nil, {1, 0}, nil, nil}},
		"each file twice":              {100, []int{0, 0, 1, 1, 2, 2, 3}, [][]int{nil, nil, nil, nil, {3, 4}, nil, {5, 6, 7}}},
		"some are in the page cache":   {100, []int{0, 1, 2, 3, 5, 6}, [][]int{nil, nil, {3, 4}, {5, 6, 7}, nil, {8, 9, 10}}},
		"beyond what was fetched":      {100, []int{0, 1, 2, 6, 7}, [][]int{nil, nil, {3, 4}, nil, nil}},
		"neighbours that overtake":     {100, []int{0, 1, 2, 3, 5, 4, 6}, [][]int{nil, nil, {3, 4}, {5, 6, 7}, nil, nil, {8, 9, 10}}},
		"every second one of a run":    {100, []int{0, 1, 2, 4, 6, 8}, [][]int{nil, nil, {3, 4}, nil, nil, nil}},
		"too much is passed over":      {100, []int{0, 1, 2, 3, 6, 9}, [][]int{nil, nil, {3, 4}, {5, 6, 7}, nil, nil}},
		"every second one":             {100, []int{0, 2, 4, 6, 8, 10}, [][]int{nil, nil, nil, nil, nil, nil}},
		"to and fro":                   {100, []int{5, 6, 5, 6, 5, 6}, [][]int{nil, nil, nil, nil, nil, nil}},
		"two programs":                 {100, []int{0, 50, 1, 51, 2, 52}, [][]int{nil, nil, nil, nil, {3, 4}, {53, 54}}},
		"a pause, and on":              {100, []int{0, 1, 2, 70, 3}, [][]int{nil, nil, {3, 4}, nil, {5, 6, 7}}},
		"an order that is none":        {100, []int{7, 3, 88, 12, 45, 4, 60}, [][]int{nil, nil, nil, nil, nil, nil, nil}},
		"the only file":                {1, []int{0, 0, 0}, [][]int{nil, nil, nil}},
		"the directory has got larger": {100, []int{97, 98, 99}, [][]int{nil, nil, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			var r Runs
			var got [][]int
			for _, pos := range tc.reads {
				got = append(got, r.Read(pos, tc.total).positions())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("reads %v (-want +got):\n%s", tc.reads, diff)
			}
		})
	}
}

// TestBack: what could not be fetched is asked for again by the next read, once.
func TestBack(t *testing.T) {
	var r Runs
	r.Read(0, 100)
	r.Read(1, 100)
	n := r.Read(2, 100)
	r.Back(n, 1)
	if got := r.Read(3, 100).positions(); !slices.Equal(got, []int{4, 5, 6, 7}) {
		t.Errorf("4 went back: %v", got)
	}
	r.Back(n, 1) // an older answer
	if got := r.Read(4, 100).positions(); !slices.Equal(got, []int{8}) {
		t.Errorf("nothing went back: %v", got)
	}
}

// TestSequentialIsAhead: who reads all files in order finds all but the first three asked for, each once.
func TestSequentialIsAhead(t *testing.T) {
	for _, step := range []int{1, -1} {
		const total = 500
		var r Runs
		asked, most := map[int]int{}, 0
		for i := range total {
			pos := i
			if step < 0 {
				pos = total - 1 - i
			}
			if i >= begin && asked[pos] != 1 {
				t.Fatalf("step %d: file %d was asked for %d times before it was read", step, i, asked[pos])
			}
			n := r.Read(pos, total)
			for _, p := range n.positions() {
				asked[p]++
			}
			most = max(most, len(asked)+begin-i-1)
		}
		if len(asked) != total-begin || most != Most {
			t.Errorf("step %d: %d of %d asked for, up to %d ahead", step, len(asked), total, most)
		}
	}
}

// TestRandomOrderFetchesNothing: of a large directory files at random.
func TestRandomOrderFetchesNothing(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var r Runs
	fetched := 0
	for range 10_000 {
		fetched += r.Read(rnd.IntN(5000), 5000).Count
	}
	if fetched > 10 { // three in a row do come, once in a long while
		t.Errorf("%d files fetched for 10,000 read at random", fetched)
	}
}

// TestNeverMoreThanWasRead: whatever is read, what was fetched and never read is at most as much as what was read, each
// position exists, and what is ahead of each read is bounded.
func TestNeverMoreThanWasRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 80).Draw(t, "total")
		var r Runs
		read, fetched, reads := map[int]bool{}, map[int]bool{}, 0
		pos, step := 0, 1
		for range rapid.IntRange(1, 120).Draw(t, "reads") {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				pos = rapid.IntRange(0, total-1).Draw(t, "jump")
			case 1:
				step = -step
			case 2:
				pos += 2 * step
			default:
				pos += step
			}
			pos = min(max(pos, 0), total-1)
			n := r.Read(pos, total)
			read[pos] = true
			reads++
			if n.Count > Most || n.Count < 0 {
				t.Fatalf("%+v", n)
			}
			for _, p := range n.positions() {
				if p < 0 || p >= total || p == pos {
					t.Fatalf("read %d of %d: asks for %d", pos, total, p)
				}
				if d := (p - pos) * n.Step; d < 1 || d > Most {
					t.Fatalf("read %d: %d is asked for", pos, p)
				}
				fetched[p] = true
			}
			if rapid.IntRange(0, 5).Draw(t, "refused") == 0 {
				r.Back(n, 1)
			}
			unread := 0
			for p := range fetched {
				if !read[p] {
					unread++
				}
			}
			if unread > reads {
				t.Fatalf("%d files fetched for nothing, %d reads", unread, reads)
			}
			if len(r.runs) > maxRuns {
				t.Fatalf("%d runs", len(r.runs))
			}
		}
	})
}
