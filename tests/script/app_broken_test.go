package script

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// brokenApp is a file of an app that can not be used, and what mount says of it.
type brokenApp struct {
	name, file, text string
	says             []string // file:line: key, what is wrong, and the mend
}

func brokenApps() []brokenApp {
	const out = "amplify_outputs.json"
	outputs := func(paths string) string {
		return "{\"version\": \"1.4\", \"storage\": {\n\"aws_region\": \"r\", \"bucket_name\": \"one\", \"buckets\": [\n" +
			"{\"name\": \"n\", \"bucket_name\": \"one\", \"aws_region\": \"r\", \"paths\": {\n" + paths + "}}]}}"
	}
	exports := func(bucket string) string {
		return "const awsmobile = {\n  aws_project_region: 'us-east-1',\n  aws_user_files_s3_bucket: " + bucket + ",\n};\nexport default awsmobile;\n"
	}
	const inExports, write = "aws-exports.js:3: aws_user_files_s3_bucket: ", "; write the value itself, or use amplify_outputs.json"
	const inPaths, define = `amplify_outputs.json:4: storage.buckets[0].paths["`, `; write paths as defineStorage has them: "media/*"`
	return []brokenApp{
		{"computed", "aws-exports.js", exports("process.env.BUCKET"), []string{inExports + "is process.env.BUCKET", write}},
		{"template", "aws-exports.js", exports("`photos-${stage}`"), []string{inExports + "is a template string", write}},
		{"bucket a number", "aws-exports.js", exports("42"), []string{inExports + "is a number, not a string; make it a string"}},
		{"no comma", out, "{\n \"version\": \"1\"\n \"auth\": {}}", []string{`amplify_outputs.json:3: has a string where "," or "}" is wanted; check the comma before it`}},
		{"version", out, "{\n \"version\": \"2\"}", []string{`amplify_outputs.json:2: version: is "2", which is not known`, "; generate the file with"}},
		{"path without end", out, outputs(`"media": {"guest": ["get"]}`), []string{inPaths + `media"]: does not end in /*`, define}},
		{"path of dots", out, outputs(`"a/../*": {"guest": ["get"]}`), []string{inPaths + `a/../*"]: has a part ..`, define}},
		{"action", out, outputs("\"media/*\": {\n\"guest\": [\"read\"]}"), []string{
			`amplify_outputs.json:5: storage.buckets[0].paths["media/*"]["guest"][0]: is "read", which is not known; use get, list, write, delete`,
		}},
		{"rule", out, outputs("\"media/*\": {\n\"everybody\": [\"get\"]}"), []string{
			`amplify_outputs.json:5: storage.buckets[0].paths["media/*"]["everybody"]: is a rule that is not known; use guest, authenticated`,
		}},
		{"pools mixed up", "app.toml", "[Auth]\nuserPoolId = 'us-east-1:1'\n", []string{`app.toml:2: user pool id: "us-east-1:1" is not the id of a user pool; write one such as us-east-1_AbCdEfGhI`}},
		{"interpolation", "amplifyconfiguration.dart", "const c = '''{\n \"version\": \"1\", \"storage\": {\n \"bucket_name\": \"${b}\"}}''';", []string{
			"amplifyconfiguration.dart:3: has an interpolation in its string; write r''' before the object",
		}},
		{"nobody's rules", out, outputs(`"media/*": {"guest": ["get"]}`), []string{"none of the app's 1 path rules grants anything to who is signed in: sign in as somebody who has a rule, or add one"}},
	}
}

// TestBrokenAppFiles: mount says in one line which file, line and key can not be used and what to do, exits with 78, and mounts nothing.
func TestBrokenAppFiles(t *testing.T) {
	for _, b := range brokenApps() {
		t.Run(b.name, func(t *testing.T) {
			a := &app{t: t, top: t.TempDir(), env: []string{"AWS_ACCESS_KEY_ID=k", "AWS_SECRET_ACCESS_KEY=s", "AWS_EC2_METADATA_DISABLED=true"}}
			file, dir := filepath.Join(a.top, b.file), filepath.Join(a.top, "mnt")
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			out, code := a.run("", "mount", "--config", file, "--identity-id", aliceID, "--endpoint", "http://127.0.0.1:1", dir)
			if code != 78 || strings.Count(out, "\n") != 1 || strings.Count(out, ";")+strings.Count(out, "sign in") == 0 {
				t.Errorf("exit %d, want 78 and one line with a mend: %s", code, out)
			}
			for _, says := range b.says {
				if !strings.Contains(out, says) {
					t.Errorf("%q is not in %s", says, out)
				}
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
				t.Errorf("mounted: %v, %v", entries, err)
			}
		})
	}
}
