package spool

import (
	"fmt"
	"os"
	"strings"
)

// bootIDFile is changed by the kernel at each boot. Source: random(4).
const bootIDFile = "/proc/sys/kernel/random/boot_id"

func readBootID() (string, error) {
	b, err := os.ReadFile(bootIDFile)
	if err != nil {
		return "", fmt.Errorf("boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
