package amplify_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/s3levelfs/s3levelfs/internal/amplify"
)

// same compares what files say; where they say it is compared by origins.
func same() cmp.Options {
	return cmp.Options{
		cmpopts.IgnoreUnexported(amplify.App{}),
		cmpopts.IgnoreFields(amplify.App{}, "File"),
		cmp.Comparer(func(a, b amplify.Secret) bool { return a.Reveal() == b.Reveal() }),
	}
}

const sub = "${cognito-identity.amazonaws.com:sub}"

func all() []string { return []string{"get", "list", "write", "delete"} }

// goodFile is a file of testdata, what it says and on which lines.
type goodFile struct {
	file  string
	want  amplify.App
	lines map[string]int
}

func TestFilesOfAmplify(t *testing.T) {
	for _, tt := range append(generatedFiles(), manualFiles()...) {
		t.Run(tt.file, func(t *testing.T) {
			path := filepath.Join("testdata", tt.file)
			got, err := amplify.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&tt.want, got, same()); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for field, line := range tt.lines {
				if got.Line(field) != line {
					t.Errorf("%s is on line %d, want %d", field, got.Line(field), line)
				}
			}
			if field := "Buckets[0].BucketName"; got.Line(field) == 0 || !strings.HasPrefix(got.Origin(field), path+":") {
				t.Errorf("the bucket comes from %q", got.Origin(field))
			}
		})
	}
}

func generatedFiles() []goodFile {
	return append(gen2Files(), gen1Files()...)
}

func gen2Files() []goodFile {
	return []goodFile{
		{"gen2/amplify_outputs.json", amplify.App{
			Shape: amplify.ShapeOutputs, Region: "us-east-1",
			IdentityPool:       amplify.IdentityPool{ID: "us-east-1:0a1b2c3d-1111-2222-3333-444455556666", Region: "us-east-1"},
			UserPool:           amplify.UserPool{ID: "us-east-1_Ab12Cd34E", ClientID: "4k7s9example0client1id2abc", Region: "us-east-1"},
			Guests:             amplify.GuestsAllowed,
			MFA:                amplify.MFA{Mode: "OPTIONAL", Methods: []string{"SMS", "TOTP"}},
			UsernameAttributes: []string{"email"},
			Groups:             []amplify.Group{{Name: "admin"}, {Name: "editors", Precedence: 1}},
			Buckets: []amplify.Bucket{
				{Name: "media", BucketName: "amplify-shop-dev-mediabucket1234-xyz", Region: "us-east-1", Paths: []amplify.Path{
					{Pattern: "public/*", Rules: map[string][]string{"guest": {"get", "list"}, "authenticated": all()}},
					{Pattern: "protected/*", Rules: map[string][]string{"authenticated": {"get", "list"}}},
					{Pattern: "protected/" + sub + "/*", Rules: map[string][]string{"entityidentity": all()}},
					{Pattern: "admin/*", Rules: map[string][]string{"groupsadmin": all(), "resource": {"get"}}},
				}},
				{Name: "archive", BucketName: "amplify-shop-dev-archivebucket99-xyz", Region: "eu-west-1"},
			},
		}, map[string]int{
			"UserPool.ID": 3, "Guests": 17, "Groups": 12, "Buckets[0].Name": 34, "Buckets[0].BucketName": 35, "Buckets[1].Region": 31,
			"Buckets[0].Paths[1]": 42, "Buckets[0].Paths[2].Rules[entityidentity]": 44,
		}},
		{"gen2-small/amplify_outputs.json", amplify.App{
			Shape: amplify.ShapeOutputs, Region: "eu-central-1",
			UserPool: amplify.UserPool{ID: "eu-central-1_Zz9", ClientID: "c1", Region: "eu-central-1"},
			Guests:   amplify.GuestsDenied, MFA: amplify.MFA{Mode: "ON"},
			Buckets: []amplify.Bucket{{BucketName: "small", Region: "eu-central-1"}},
		}, nil},
		{"gen2-dart/amplify_outputs.dart", amplify.App{
			Shape: amplify.ShapeOutputs, Region: "us-west-2",
			Buckets: []amplify.Bucket{{Name: "files", BucketName: "flutter-gen2", Region: "us-west-2", Paths: []amplify.Path{
				{Pattern: "private/" + sub + "/*", Rules: map[string][]string{"entityidentity": {"get", "write"}}},
			}}},
		}, map[string]int{"Buckets[0].BucketName": 8, "Buckets[0].Paths[0]": 9}},
	}
}

func gen1Files() []goodFile {
	return []goodFile{
		{"web/aws-exports.js", amplify.App{
			Shape: amplify.ShapeExports, Region: "us-east-1",
			IdentityPool:       amplify.IdentityPool{ID: "us-east-1:5f6e7d8c-aaaa-bbbb-cccc-ddddeeeeffff", Region: "us-east-1"},
			UserPool:           amplify.UserPool{ID: "us-east-1_Web000001", ClientID: "1webclient2id3", Region: "us-east-1"},
			MFA:                amplify.MFA{Mode: "OFF", Methods: []string{"SMS"}},
			UsernameAttributes: []string{"email"},
			Buckets:            []amplify.Bucket{{BucketName: "photoapp123456-dev", Region: "us-west-2"}},
		}, map[string]int{"Region": 5, "Buckets[0].BucketName": 18, "Buckets[0].Region": 19}},
		{"web-json/amplifyconfiguration.json", amplify.App{
			Shape: amplify.ShapeExports, Region: "ap-southeast-2", Guests: amplify.GuestsDenied,
			IdentityPool: amplify.IdentityPool{ID: "ap-southeast-2:5f6e7d8c-aaaa-bbbb-cccc-ddddeeeeffff", Region: "ap-southeast-2"},
			Buckets:      []amplify.Bucket{{BucketName: "flatjson-prod", Region: "ap-southeast-2"}},
		}, map[string]int{"Guests": 4, "IdentityPool.Region": 3}},
		{"web-ts/aws-exports.ts", amplify.App{
			Shape: amplify.ShapeExports, Region: "eu-west-1",
			UserPool: amplify.UserPool{ID: "eu-west-1_TsTsTsTs1", ClientID: "tsclient", Region: "eu-west-1"},
			Buckets:  []amplify.Bucket{{BucketName: "typescript-app", Region: "eu-west-1"}},
		}, map[string]int{"Buckets[0].BucketName": 12, "Buckets[0].Region": 7}},
		{"web-commonjs/aws-exports.js", amplify.App{
			Shape: amplify.ShapeExports, Region: "us-east-2", Guests: amplify.GuestsAllowed,
			IdentityPool: amplify.IdentityPool{ID: "us-east-2:00000000-1111-2222-3333-444444444444", Region: "us-east-2"},
			Buckets:      []amplify.Bucket{{BucketName: "commonjs", Region: "us-east-2"}},
		}, nil},
		{"web-testing/aws-exports.js", amplify.App{
			Shape: amplify.ShapeExports, Region: "us-fake-1",
			Buckets: []amplify.Bucket{{BucketName: "mock-bucket", Region: "us-fake-1", Endpoint: "http://localhost:20005", PathStyle: true}},
		}, map[string]int{"Buckets[0].Endpoint": 5, "Buckets[0].PathStyle": 5}},
		{"mobile/amplifyconfiguration.json", amplify.App{
			Shape: amplify.ShapeMobile, Region: "us-east-1",
			IdentityPool: amplify.IdentityPool{ID: "us-east-1:aaaaaaaa-1111-2222-3333-444444444444", Region: "us-east-1"},
			UserPool: amplify.UserPool{
				ID: "us-east-1_Mobile001", ClientID: "mobileclient", Region: "us-east-1", AuthFlow: "USER_SRP_AUTH",
				ClientSecret: amplify.NewSecret("hush-hush-mobile-secret"),
			},
			MFA: amplify.MFA{Mode: "OPTIONAL", Methods: []string{"SMS"}}, UsernameAttributes: []string{"phone_number"},
			Buckets: []amplify.Bucket{{BucketName: "mobileapp-files", Region: "us-west-1"}}, DefaultLevel: "public",
		}, map[string]int{"UserPool.ClientSecret": 22, "DefaultLevel": 43}},
		{"flutter/amplifyconfiguration.dart", amplify.App{
			Shape: amplify.ShapeMobile, Region: "eu-west-2",
			UserPool: amplify.UserPool{ID: "eu-west-2_Flutter01", ClientID: "fl", Region: "eu-west-2"},
			Buckets:  []amplify.Bucket{{BucketName: "flutter-files", Region: "eu-west-2"}}, DefaultLevel: "private",
		}, map[string]int{"UserPool.ID": 5, "Buckets[0].BucketName": 10}},
		{"native/awsconfiguration.json", amplify.App{
			Shape: amplify.ShapeNative, Region: "us-west-2",
			IdentityPool: amplify.IdentityPool{ID: "us-west-2:bbbbbbbb-1111-2222-3333-444444444444", Region: "us-west-2"},
			UserPool:     amplify.UserPool{ID: "us-west-2_Native001", ClientID: "nat", Region: "us-west-2"},
			Endpoints:    amplify.Endpoints{UserPool: "https://auth.example.com"},
			Buckets:      []amplify.Bucket{{BucketName: "native-files", Region: "us-west-2", Endpoint: amplify.LocalEndpoint, PathStyle: true}},
		}, map[string]int{"Buckets[0].Endpoint": 9}},
	}
}

func manualFiles() []goodFile {
	return []goodFile{
		{"manual/configure.js", amplify.App{
			Shape: amplify.ShapeManual, Region: "XX-XXXX-X", Guests: amplify.GuestsDenied,
			IdentityPool: amplify.IdentityPool{ID: "XX-XXXX-X:12345678-1234-1234-1234-123456789abc", Region: "XX-XXXX-X"},
			UserPool: amplify.UserPool{
				ID: "XX-XXXX-X_abcd1234", ClientID: "a1b2c3d4e5f6g7h8i9j0k1l2m3", Region: "XX-XXXX-X", AuthFlow: "USER_PASSWORD_AUTH",
			},
			Buckets: []amplify.Bucket{{BucketName: "manual-bucket", Region: "eu-west-3"}}, DefaultLevel: "protected",
			Prefixes: amplify.Prefixes{Public: new(""), Private: new("myPrivatePrefix")},
		}, map[string]int{"Guests": 10, "Buckets[0].BucketName": 16, "Prefixes.Public": 20, "Prefixes.Private": 21}},
		{"manual-flat/config.json", amplify.App{
			Shape: amplify.ShapeManual, Region: "us-east-1", Guests: amplify.GuestsAllowed,
			IdentityPool: amplify.IdentityPool{ID: "us-east-1:12345678-1234-1234-1234-123456789abc", Region: "us-east-1"},
			Buckets:      []amplify.Bucket{{BucketName: "flat-storage", Region: "us-east-1"}}, DefaultLevel: "private",
			Prefixes: amplify.Prefixes{Protected: new("prot/")},
		}, map[string]int{"Buckets[0].Region": 2}},
		{"manual-v6/amplify.ts", amplify.App{
			Shape: amplify.ShapeManual, Guests: amplify.GuestsAllowed,
			IdentityPool: amplify.IdentityPool{ID: "us-east-1:66666666-1234-1234-1234-123456789abc", Region: "us-east-1"},
			UserPool:     amplify.UserPool{ID: "us-east-1_Version06", ClientID: "v6client", Region: "us-east-1"},
			MFA:          amplify.MFA{Mode: "ON", Methods: []string{"TOTP"}}, UsernameAttributes: []string{"email"},
			Groups:    []amplify.Group{{Name: "staff", Precedence: 3}},
			Endpoints: amplify.Endpoints{UserPool: "http://127.0.0.1:9229", IdentityPool: "http://127.0.0.1:9230"},
			Buckets: []amplify.Bucket{
				{Name: "media", BucketName: "v6-media", Region: "us-east-1", Paths: []amplify.Path{{Pattern: "media/*", Rules: map[string][]string{"guest": {"get"}}}}},
				{Name: "backup", BucketName: "v6-backup", Region: "us-west-2"},
			},
		}, map[string]int{"Endpoints.IdentityPool": 9, "Buckets[1].BucketName": 20}},
		{"manual-toml/app.toml", amplify.App{
			Shape: amplify.ShapeManual, Region: "us-east-1",
			IdentityPool: amplify.IdentityPool{ID: "us-east-1:77777777-1234-1234-1234-123456789abc", Region: "us-east-1"},
			UserPool:     amplify.UserPool{ID: "us-east-1_Toml00001", ClientID: "tomlclient", Region: "us-east-1"},
			Buckets:      []amplify.Bucket{{BucketName: "toml-bucket", Region: "us-east-1"}}, DefaultLevel: "private",
			Prefixes: amplify.Prefixes{Public: new("shared/"), Protected: new("")},
		}, map[string]int{"IdentityPool.ID": 5, "Buckets[0].BucketName": 11, "DefaultLevel": 13, "Prefixes.Protected": 14}},
	}
}

// TestFilesAreToldApartByShape: a name says nothing that the text does not say better.
func TestFilesAreToldApartByShape(t *testing.T) {
	for _, tt := range append(generatedFiles(), manualFiles()...) {
		path := filepath.Join("testdata", tt.file)
		got, err := amplify.Parse("config", readFile(t, path))
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		if d := cmp.Diff(&tt.want, got, same()); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.file, d)
		}
	}
}

func TestBucketByName(t *testing.T) {
	app, err := amplify.Read("testdata/gen2/amplify_outputs.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"": 0, "media": 0, "archive": 1, "amplify-shop-dev-archivebucket99-xyz": 1, "none": -1} {
		if got := app.Bucket(name); got != want {
			t.Errorf("bucket %q is number %d, want %d", name, got, want)
		}
	}
}

// TestWhatEditorsAdd: a byte order mark and the line ends of Windows change nothing.
func TestWhatEditorsAdd(t *testing.T) {
	for _, tt := range append(generatedFiles(), manualFiles()...) {
		text := string(readFile(t, filepath.Join("testdata", tt.file)))
		got, err := amplify.Parse("config", []byte("\ufeff"+strings.ReplaceAll(text, "\n", "\r\n")))
		if err != nil {
			t.Errorf("%s: %v", tt.file, err)
			continue
		}
		if d := cmp.Diff(&tt.want, got, same()); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.file, d)
		}
		for field, line := range tt.lines {
			if got.Line(field) != line {
				t.Errorf("%s: %s is on line %d, want %d", tt.file, field, got.Line(field), line)
			}
		}
	}
}

// TestServerForTestingHoldsForAllBuckets: the file names it once.
func TestServerForTestingHoldsForAllBuckets(t *testing.T) {
	app, err := amplify.Parse("a.js", []byte(`export default { Storage: { S3: { bucket: 'two', region: 'r',
  dangerouslyConnectToHttpEndpointForTesting: 'true',
  buckets: { a: { bucketName: 'one', region: 'x' }, b: { bucketName: 'two' } } } } }`))
	if err != nil {
		t.Fatal(err)
	}
	want := []amplify.Bucket{
		{Name: "b", BucketName: "two", Region: "r", Endpoint: amplify.LocalEndpoint, PathStyle: true},
		{Name: "a", BucketName: "one", Region: "x", Endpoint: amplify.LocalEndpoint, PathStyle: true},
	}
	if d := cmp.Diff(want, app.Buckets); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for field, line := range map[string]int{"Buckets[0].Endpoint": 2, "Buckets[1].PathStyle": 2, "Buckets[0].Region": 1, "Buckets[1].Region": 3} {
		if app.Line(field) != line {
			t.Errorf("%s is on line %d, want %d", field, app.Line(field), line)
		}
	}
}
