// Command s3levelfs-files is the whole of s3levelfs with one storage provider more: files, a directory of plain files.
package main

import (
	_ "example.org/s3levelfs-files/files" // registers the provider files

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/app"
)

func main() { app.Main() }
