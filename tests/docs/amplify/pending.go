package main

// pending are rows, by their chapter, whose features are built at the same time as this table. They get into the document when all of
// their tests are there: run `make docs` then, and move them into chapters.
func pending() map[string][]row {
	return map[string][]row{
		"Getting started": {
			{"Lambda triggers on the bucket", "`mount --on-upload CMD`, `--on-delete CMD`: the command gets the S3 event on its standard input", []string{"storage_triggers.txtar"}},
			{"what happens in the bucket, as it happens", "`s3levelfs watch`", []string{"storage_watch.txtar"}},
		},
		"Upload": {
			{"what Amplify's clients store and read", "the same objects, with the same headers, both ways", []string{"TestClientsWrite", "TestClientsReadHeaders"}},
		},
		"List, copy, remove": {
			{"hostile keys, by the hundred", "exact in commands, escaped in the mount", []string{"TestKeysInAMount", "TestKeysOfCommands"}},
		},
		"Custom plugins": {
			{"a StorageProvider of your own, its seven methods", "the Go interface `store.Provider`; `examples/provider`", []string{"TestProviderExample"}},
			{"addPluggable, getPluggable, removePluggable", "the registry of package `store`; `s3levelfs providers`", []string{"providers.txtar"}},
			{"the provider of a call", "`--provider NAME`", []string{"providers.txtar"}},
		},
		"Tracking events": {
			{"track, for all calls or for one", "`--track` and `--track-to`, of the mount and of each command; also as settings", []string{"storage_tracking.txtar"}},
			{"the event Storage, its attributes method and result", "the same names and values", []string{"storage_tracking.txtar"}},
		},
		"Reference": {
			{"an import in a program of your own", "`examples/upload`", []string{"TestUploadExample"}},
		},
	}
}
