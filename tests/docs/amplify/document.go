package main

import (
	"fmt"
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

// document is the whole file.
func document() string {
	var b strings.Builder
	b.WriteString(head)
	for _, c := range chapters() {
		fmt.Fprintf(&b, "\n## %s\n\n| in Amplify | here | shown by |\n|---|---|---|\n", c.title)
		for _, r := range c.rows {
			write(&b, r)
		}
	}
	b.WriteString(foot)
	return b.String()
}

func write(b *strings.Builder, r row) {
	names := make([]string, len(r.tests))
	for i, t := range r.tests {
		names[i] = "`" + t + "`"
	}
	fmt.Fprintf(b, "| %s | %s | %s |\n", r.feature, strings.ReplaceAll(r.here, "|", `\|`), strings.Join(names, ", "))
}
