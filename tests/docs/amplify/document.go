package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// row is one feature of the guide.
type row struct {
	feature string   // in Amplify's terms
	here    string   // what does it here
	tests   []string // Test… or the name of a script, storage_….txtar
}

// chapter is a part of the guide.
type chapter struct {
	title string
	rows  []row
}

const head = `# Amplify Storage and s3levelfs

What the guide of AWS Amplify Storage describes, what does it here, and the test that shows it. Scripts (` + "`….txtar`" + `) lie in
` + "`tests/script/testdata`" + `. This file is written by ` + "`make docs`" + ` from ` + "`tests/docs/amplify`" + `; do not edit it.
`

const foot = `
## Not here

The components for web pages (Picker, PhotoPicker, TextPicker, S3Image, S3Text, S3Album, those of Angular, StorageImage, FileUploader, StorageBrowser), their
tracking, and a local gallery with the same parts are not built. The database that ` + "`amplify add storage`" + ` offers beside the bucket (DynamoDB) has no files, and is no
concern of s3levelfs.
`

// document is the whole file. Rows whose features are being built stand in pending until their tests are there.
func document(root string) (string, error) {
	known, err := tests(root)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(head)
	later := pending()
	for _, c := range chapters() {
		fmt.Fprintf(&b, "\n## %s\n\n| in Amplify | here | shown by |\n|---|---|---|\n", c.title)
		for _, r := range c.rows {
			write(&b, r)
		}
		for _, r := range later[c.title] {
			if missing(r, known) == "" {
				write(&b, r)
			}
		}
	}
	b.WriteString(foot)
	return b.String(), nil
}

func write(b *strings.Builder, r row) {
	names := make([]string, len(r.tests))
	for i, t := range r.tests {
		names[i] = "`" + t + "`"
	}
	fmt.Fprintf(b, "| %s | %s | %s |\n", r.feature, strings.ReplaceAll(r.here, "|", `\|`), strings.Join(names, ", "))
}

// missing is the first test of a row that there is not.
func missing(r row, known map[string]bool) string {
	for _, t := range r.tests {
		if !known[t] {
			return t
		}
	}
	return ""
}

var declared = regexp.MustCompile(`(?m)^func (Test\w+)\(`)

// tests are the names of all tests and scripts below root.
func tests(root string) (map[string]bool, error) {
	known := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.IsDir():
			return err
		case strings.HasSuffix(path, ".txtar"):
			known[d.Name()] = true
		case strings.HasSuffix(path, "_test.go"):
			src, err := os.ReadFile(path)
			for _, m := range declared.FindAllSubmatch(src, -1) {
				known[string(m[1])] = true
			}
			return err
		}
		return nil
	})
	return known, err
}
