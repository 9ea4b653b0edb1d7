// Command amplify writes docs/AMPLIFY.md, what of Amplify's Storage guide is here, to standard output. Run it by `make docs`.
package main

import (
	"fmt"
	"os"
)

func main() {
	if _, err := os.Stdout.WriteString(document()); err != nil {
		fmt.Fprintln(os.Stderr, "amplify:", err)
		os.Exit(1)
	}
}
