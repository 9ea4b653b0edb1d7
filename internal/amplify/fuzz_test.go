package amplify_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/amplify"
)

// fuzz parses what comes as one kind of file: it never panics, and an error is one line that names the file and what is wrong.
func fuzz(f *testing.F, file string, patterns ...string) {
	f.Helper()
	for _, pattern := range patterns {
		paths, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(paths) == 0 {
			f.Fatalf("no files %s (%v)", pattern, err)
		}
		for _, path := range paths {
			app, err := amplify.Read(path)
			if err != nil || app == nil {
				f.Fatal(err)
			}
			f.Add(readFile(f, path))
		}
	}
	for _, tt := range append(append(brokenSources(), brokenValues()...), brokenPaths()...) {
		f.Add([]byte(tt.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		app, err := amplify.Parse(file, text)
		if err == nil {
			if app.File != file || app.Shape == "" {
				t.Errorf("%+v", app)
			}
			for i, b := range app.Buckets {
				if b.BucketName == "" || app.Bucket(b.BucketName) < 0 {
					t.Errorf("bucket %d: %+v", i, b)
				}
			}
			return
		}
		e, ok := errors.AsType[*amplify.Error](err)
		if !ok || e.File != file || e.Problem == "" || e.Mend == "" || e.Line > 1+strings.Count(string(text), "\n") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%#v: %q", err, err)
		}
	})
}

func FuzzOutputs(f *testing.F)    { fuzz(f, "amplify_outputs.json", "gen2*/*.json") }
func FuzzExports(f *testing.F)    { fuzz(f, "aws-exports.js", "web*/*") }
func FuzzTypeScript(f *testing.F) { fuzz(f, "aws-exports.ts", "web-ts/*", "manual-v6/*") }
func FuzzMobile(f *testing.F)     { fuzz(f, "amplifyconfiguration.json", "mobile/*", "native/*") }
func FuzzDart(f *testing.F)       { fuzz(f, "amplifyconfiguration.dart", "flutter/*", "gen2-dart/*") }
func FuzzManual(f *testing.F)     { fuzz(f, "configure.js", "manual/*", "manual-flat/*") }
func FuzzTOML(f *testing.F)       { fuzz(f, "app.toml", "manual-toml/*") }
