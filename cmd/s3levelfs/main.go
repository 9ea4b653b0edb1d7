// Command s3levelfs mounts the access levels of an S3 bucket, as AWS Amplify
// Storage lays them out, and works on them from the shell.
package main

import "github.com/s3levelfs/s3levelfs/cmd/s3levelfs/app"

func main() { app.Main() }
