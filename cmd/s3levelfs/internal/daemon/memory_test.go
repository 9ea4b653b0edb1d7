package daemon

import "testing"

func TestMemoryLimit(t *testing.T) {
	const mib = 1 << 20
	for _, tt := range []struct {
		memory int64
		live   uint64
		want   int64
	}{
		{256 * mib, 0, 286 * mib},
		{256 * mib, 200 * mib, 286 * mib},
		{16 * mib, 30 * mib, 46 * mib},
		{16 * mib, 80 * mib, 100 * mib}, // more in use than there should be: the collector still ends
		{0, 1 << 63, 1<<62 - 1 + (1<<62-1)/4},
	} {
		if got := memoryLimit(tt.memory, tt.live); got != tt.want {
			t.Errorf("memory %d, live %d: %d, want %d", tt.memory, tt.live, got, tt.want)
		}
	}
}
