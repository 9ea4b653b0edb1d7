package amplify_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/amplify"
)

// brokenFile is a file that can not be used, and what is said of it.
type brokenFile struct{ name, file, text, want string }

const computedMend = "; write the value itself, or use amplify_outputs.json or amplifyconfiguration.json"

func TestBrokenFilesNameLineKeyAndMend(t *testing.T) {
	for _, tt := range append(append(brokenSources(), brokenValues()...), brokenPaths()...) {
		t.Run(tt.name, func(t *testing.T) {
			_, err := amplify.Parse(tt.file, []byte(tt.text))
			if err == nil || err.Error() != tt.want {
				t.Fatalf("got  %v\nwant %s", err, tt.want)
			}
			if e, ok := errors.AsType[*amplify.Error](err); !ok || e.File != tt.file || e.Problem == "" || e.Mend == "" {
				t.Errorf("%#v is not an error with file, problem and mend", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is not one line", err)
			}
		})
	}
}

// exports is an aws-exports.js whose bucket is value, on line 3.
func exports(value string) string {
	return "const awsmobile = {\n  aws_project_region: 'us-east-1',\n  aws_user_files_s3_bucket: " + value + ",\n};\nexport default awsmobile;\n"
}

func brokenSources() []brokenFile {
	const bucket = "aws-exports.js:3: aws_user_files_s3_bucket: "
	const nothing = ", and nothing is computed here" + computedMend
	const code = "; keep the declaration and the export of one object, or use amplify_outputs.json"
	const spread = "; write the keys themselves, or use amplify_outputs.json or amplifyconfiguration.json"
	js := "aws-exports.js"
	return []brokenFile{
		{"template", js, exports("`photos-${stage}`"), bucket + "is a template string" + nothing},
		{"environment", js, exports("process.env.BUCKET"), bucket + "is process.env.BUCKET, which is known when the app is built" + nothing},
		{"environment with a default", js, exports("process.env.BUCKET || 'b'"), bucket + `is process.env.BUCKET, which is known when the app is built` + nothing},
		{"vite", js, exports("import.meta.env.VITE_BUCKET"), bucket + "is import.meta.env.VITE_BUCKET, which is known when the app is built" + nothing},
		{"call", js, exports("config.get('bucket')"), bucket + "is a call of config.get" + nothing},
		{"variable", js, exports("bucket"), bucket + "is the variable bucket" + nothing},
		{"sum", js, exports("'a' + 'b'"), bucket + `is an expression with "+"` + nothing},
		{"new", js, exports("new Bucket('x')"), bucket + "is code (new)" + nothing},
		{"function", js, exports("() => 'x'"), bucket + `is an expression with "("` + nothing},
		{"shorthand", js, "export default {\n aws_project_region: 'r',\n aws_user_files_s3_bucket }", bucket + "is the variable aws_user_files_s3_bucket" + nothing},
		{
			"spread", js, "const awsmobile = {\n  ...base,\n  aws_user_files_s3_bucket: 'b',\n};\nexport default awsmobile;",
			"aws-exports.js:2: aws_project_region: may come from a spread of base, and nothing is computed here" + spread,
		},
		{
			"computed key", "c.ts", "export default { Auth: {\n [key]: 'x' } }",
			"c.ts:2: Auth.Cognito: may come from a computed key, and nothing is computed here" + spread,
		},
		{
			"computed whole", js, "const a = load('x')\nexport default a",
			"aws-exports.js:1: the configuration: is a call of load" + nothing,
		},
		{"changed by code", js, exports("'b'") + "\nawsmobile.aws_user_files_s3_bucket = 'c';", `aws-exports.js:7: has code (awsmobile …), which is not run` + code},
		{
			"condition", js, "const a = {};\nif (x) { a.b = 1 }",
			"aws-exports.js:2: has code (if …), which is not run" + code,
		},
		{
			"two objects", js, "const a = { aws_project_region: 'x' };\nconst b = { aws_project_region: 'y' };",
			"aws-exports.js:2: has several objects (another on line 1) and exports none of them; export one by `export default`",
		},
		{
			"only types", "aws-exports.d.ts", "declare const awsmobile: Record<string, any>;\nexport default awsmobile;",
			"aws-exports.d.ts:2: the configuration: is the variable awsmobile" + nothing,
		},
		{"unclosed", js, "const a = {\n  b: [1, 2,\n", `aws-exports.js:3: has no value at its end; write one, or close what is open`},
		{"unclosed object", js, "const a = {\n  b: 1\n", `aws-exports.js:1: has a bracket that is not closed; close it with "}"`},
		{"string over lines", js, "const a = {\n  b: 'x\n};", "aws-exports.js:2: has a string that does not end on its line; close it with '"},
		{"comment", js, "/* a\nconst a = {}", "aws-exports.js:1: has a comment that does not end; close it with */"},
		{
			"missing comma", "amplify_outputs.json", "{\n  \"version\": \"1\"\n  \"auth\": {}\n}",
			`amplify_outputs.json:3: has a string where "," or "}" is wanted; check the comma before it`,
		},
		{
			"twice", "amplify_outputs.json", "{\n  \"version\": \"1\",\n  \"version\": \"1.1\"\n}",
			"amplify_outputs.json:3: version: is set a second time (first on line 2); keep one of both",
		},
		{
			"behind the end", "amplify_outputs.json", "{\"version\": \"1\"}\n}",
			`amplify_outputs.json:2: has "}" behind the end of the object; remove it, or check the brackets before it`,
		},
		{
			"dart interpolation", "a.dart", "const c = '''{\n \"version\": \"1\", \"storage\": {\n \"bucket_name\": \"${b}\"}}''';",
			"a.dart:3: has an interpolation in its string; write r''' before the object, so that it is taken as it stands",
		},
		{"dart unclosed", "a.dart", "// x\nconst c = '''{", "a.dart:2: has a string that does not end; close it with '''"},
		{"toml", "a.toml", "[Auth]\nregion = \n", "a.toml:2: is not TOML: toml: unexpected character U+000A at start of value; mend that line"},
		{"toml large", "a.toml", strings.Repeat("# a comment\n", 10000), "a.toml: is too large for a configuration; name another file"},
		{
			"toml date", "a.toml", "[Storage.AWSS3]\nbucket = 2020-01-01\n",
			"a.toml:2: Storage.AWSS3.bucket: is a date or time (LocalDate)" + nothing,
		},
		{"UTF-16", "aws-exports.js", "\xff\xfec\x00", "aws-exports.js:1: is in UTF-16; save it as UTF-8"},
		{"Latin-1", "aws-exports.js", "// a\n// \xe9\n", "aws-exports.js:2: has bytes that are not UTF-8; save it as UTF-8"},
		{"empty file", "aws-exports.js", "", "aws-exports.js: has no object with an app's configuration; name the file that Amplify's tools have written, such as amplify_outputs.json"},
		{
			"deep", "a.json", strings.Repeat("[", 1000),
			"a.json:1: is nested too deeply; use amplify_outputs.json or amplifyconfiguration.json as Amplify's tools write it",
		},
	}
}

func brokenValues() []brokenFile {
	const out = "amplify_outputs.json"
	return []brokenFile{
		{
			"empty project", "aws-exports.js", "// generated\n\nconst awsmobile = {\n};\n\nexport default awsmobile;\n",
			"aws-exports.js:3: is the configuration of an app that has nothing yet (an empty object); " +
				"run `amplify push` (Gen 1) or `npx ampx sandbox` (Gen 2), which write what the app has",
		},
		{
			"another file", "package.json", `{"name": "app", "dependencies": {}}`,
			"package.json:1: is none of an Amplify app's configurations; name amplify_outputs.json, amplifyconfiguration.json, aws-exports.js, or a file with Auth and Storage",
		},
		{"a list", out, "\n[]", "amplify_outputs.json:2: is a list, not an object; make it an object"},
		{
			"version missing", out, "{\n \"auth\": {\"user_pool_id\": \"r_x\"}}",
			"amplify_outputs.json:1: version: is missing; write \"version\": \"1\" as `npx ampx generate outputs` does",
		},
		{
			"version unknown", out, "{\n \"version\": \"2\"}",
			"amplify_outputs.json:2: version: is \"2\", which is not known (1, 1.1 and so on are); " +
				"generate the file with `npx ampx generate outputs --outputs-version 1`, or update s3levelfs",
		},
		{"version a number", out, "{\n \"version\": 1.4}", "amplify_outputs.json:2: version: is a number, not a string; make it a string"},
		{
			"no bucket in storage", out, "{\"version\": \"1\",\n \"storage\": {\"aws_region\": \"r\"}}",
			"amplify_outputs.json:2: storage.bucket_name: is missing; generate the file again with `npx ampx generate outputs`",
		},
		{"bucket a number", "aws-exports.js", exports("42"), "aws-exports.js:3: aws_user_files_s3_bucket: is a number, not a string; make it a string"},
		{"bucket empty", "aws-exports.js", exports("''"), "aws-exports.js:3: aws_user_files_s3_bucket: is empty; write its value, or remove the key"},
		{"storage a string", "a.json", `{"Storage": "b"}`, "a.json:1: Storage: is a string, not an object; make it an object"},
		{
			"pool taken for another", "aws-exports.js", "export default { aws_project_region: 'r',\n aws_cognito_identity_pool_id: 'us-east-1_Ab12' }",
			`aws-exports.js:2: identity pool id: "us-east-1_Ab12" is not the id of an identity pool; write one such as us-east-1:11111111-2222-3333-4444-555555555555`,
		},
		{
			"and the other", "a.toml", "[Auth]\nuserPoolId = 'us-east-1:1'",
			`a.toml:2: user pool id: "us-east-1:1" is not the id of a user pool; write one such as us-east-1_AbCdEfGhI`,
		},
		{
			"level", "a.json", "{\"Storage\": {\"bucket\": \"b\",\n \"level\": \"secret\"}}",
			`a.json:2: Storage.level: is "secret", which is not known; use public, guest, protected, private`,
		},
		{
			"mfa", out, "{\"version\": \"1\", \"auth\": {\n\"mfa_methods\": [\"SMS\",\n \"FAX\"]}}",
			`amplify_outputs.json:3: auth.mfa_methods[1]: is "FAX", which is not known; use SMS, TOTP, EMAIL`,
		},
		{
			"guests", out, "{\"version\": \"1\", \"auth\": {\n\"unauthenticated_identities_enabled\": \"perhaps\"}}",
			"amplify_outputs.json:2: auth.unauthenticated_identities_enabled: is a string, not true or false; make it true or false",
		},
		{
			"precedence", out, "{\"version\": \"1\", \"auth\": {\"groups\": [\n{\"admin\": {\"precedence\": -1}}]}}",
			`amplify_outputs.json:2: auth.groups[0]["admin"].precedence: is -1, not a whole number from 0 on; write a number such as 0 or 1`,
		},
		{
			"group twice", out, "{\"version\": \"1\", \"auth\": {\"groups\": [{\"a\": {}},\n{\"a\": {}}]}}",
			`amplify_outputs.json:2: auth.groups[1]["a"]: is a group that is there already; keep one of both`,
		},
	}
}

// outputs is an amplify_outputs.json whose storage.buckets is this.
func outputs(buckets string) string {
	return "{\"version\": \"1.2\", \"storage\": {\n\"bucket_name\": \"one\", \"aws_region\": \"r\",\n\"buckets\": [" + buckets + "]}}"
}

func brokenPaths() []brokenFile {
	const out = "amplify_outputs.json"
	paths := func(paths string) string {
		return outputs(`{"name": "n", "bucket_name": "one", "aws_region": "r", "paths": {` + "\n" + paths + `}}`)
	}
	path := func(name, pattern, wrong string) brokenFile {
		return brokenFile{
			"path " + name, out, paths(`"` + pattern + `": {"guest": ["get"]}`),
			`amplify_outputs.json:4: storage.buckets[0].paths["` + pattern + `"]: ` + wrong +
				`; write paths as defineStorage has them: "media/*", "private/${cognito-identity.amazonaws.com:sub}/*"`,
		}
	}
	return []brokenFile{
		{
			"bucket twice", out, outputs(`{"name": "n", "bucket_name": "one"},` + "\n" + `{"name": "n", "bucket_name": "two"}`),
			`amplify_outputs.json:4: storage.buckets[1].name: is "n", as on line 3; give each bucket a name of its own`,
		},
		{
			"bucket without name", out, outputs(`{"bucket_name": "one"}`),
			"amplify_outputs.json:3: storage.buckets[0]: is a bucket without a name; give it a name, as defineStorage does",
		},
		{
			"bucket without bucket", out, outputs(`{"name": "n"}`),
			"amplify_outputs.json:3: storage.buckets[0].name: is a bucket without its name in S3 (bucket_name); generate the file again",
		},
		{
			"default is none of them", out, outputs(`{"name": "n", "bucket_name": "two"}`),
			`amplify_outputs.json:2: storage: has the bucket "one", which is none of its buckets; name one of them: two`,
		},
		path("without end", "media", "does not end in /*"),
		path("with a leading slash", "/media/*", "begins with a slash"),
		path("with an empty part", "a//b/*", "has an empty part (//)"),
		path("with a star", "a/*/b/*", "has a * that is not its end"),
		path("of the identity first", sub+"/*", "begins with the identity's id"),
		path("of the identity between", "a/"+sub+"/b/*", "has the identity's id before its last part"),
		path("with braces", "a/{user}/*", "has braces that are not the identity's id"),
		path("with dots", "a/../*", "has a part .., which no app can reach"),
		{
			"action", out, paths(`"media/*": {` + "\n" + `"guest": ["read"]}`),
			`amplify_outputs.json:5: storage.buckets[0].paths["media/*"]["guest"][0]: is "read", which is not known; use get, list, write, delete`,
		},
		{
			"rule", out, paths(`"media/*": {` + "\n" + `"everybody": ["get"]}`),
			`amplify_outputs.json:5: storage.buckets[0].paths["media/*"]["everybody"]: is a rule that is not known; ` +
				"use guest, authenticated, entityidentity, resource, or groups and a group's name",
		},
		{
			"actions no list", out, paths(`"media/*": {"guest": "get"}`),
			`amplify_outputs.json:4: storage.buckets[0].paths["media/*"]["guest"]: is a string, not a list; make it a list`,
		},
	}
}
