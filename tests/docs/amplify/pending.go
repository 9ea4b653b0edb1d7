package main

// pending are rows, by their chapter, whose features are built at the same time as this table. They get into the document when all of
// their tests are there: run `make docs` then, and move them into chapters.
func pending() map[string][]row {
	return map[string][]row{
		"Getting started": {
			{"Lambda triggers on the bucket", "`mount --on-upload CMD`, `--on-delete CMD`: the command gets the S3 event on its standard input", []string{"storage_triggers.txtar"}},
			{"Events of the app (Hub)", "`s3levelfs watch`", []string{"storage_watch.txtar"}},
		},
		"Custom plugins": {
			{"a StorageProvider of your own, its seven methods", "the Go interface `store.Provider`", []string{"storage_plugin.txtar"}},
			{"addPluggable, getPluggable, removePluggable", "the registry of package `store`; `s3levelfs providers`", []string{"storage_plugin.txtar"}},
			{"the provider of a call", "`--provider NAME`", []string{"storage_plugin.txtar"}},
		},
		"Tracking events": {
			{"track, for all calls or for one", "`--track` of the mount and of each command, `tracking` in the TOML file", []string{"storage_tracking.txtar"}},
			{"the event Storage, its attributes method and result", "the same names and values", []string{"storage_tracking.txtar"}},
		},
	}
}
