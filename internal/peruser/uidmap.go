package peruser

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"os"
)

// UIDMap is which uids a user namespace has.
type UIDMap []uidRange

type uidRange struct{ first, count uint32 }

// OwnUIDs is that of this process.
func OwnUIDs() (UIDMap, error) {
	f, err := os.Open("/proc/self/uid_map")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return ParseUIDMap(f)
}

// ParseUIDMap reads lines of three numbers: the first uid inside, the first outside, how many. Source: user_namespaces(7).
func ParseUIDMap(r io.Reader) (UIDMap, error) {
	var m UIDMap
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var inside, outside, count uint32
		if _, err := fmt.Sscan(lines.Text(), &inside, &outside, &count); err != nil {
			return nil, fmt.Errorf("uid_map: %q: %w", lines.Text(), err)
		}
		m = append(m, uidRange{inside, count})
	}
	return m, lines.Err()
}

// Has tells whether uid is mapped. 4294967295 is nobody's: it is what the kernel tells of a uid that it can not express.
func (m UIDMap) Has(uid uint32) bool {
	for _, r := range m {
		if uid >= r.first && uid-r.first < r.count && uid != math.MaxUint32 {
			return true
		}
	}
	return false
}
