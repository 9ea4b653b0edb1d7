// Command amplify writes docs/AMPLIFY.md, what of Amplify's Storage guide is here, to standard output. Run it by `make docs`, in the
// root of the module.
package main

import (
	"fmt"
	"os"
)

func main() {
	text, err := document(".")
	if err == nil {
		_, err = os.Stdout.WriteString(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "amplify:", err)
		os.Exit(1)
	}
}
