package amplify

import "fmt"

// Shape is the way in which a file says what it says.
type Shape string

// The shapes.
const (
	ShapeOutputs Shape = "Gen 2 outputs"        // amplify_outputs.json
	ShapeExports Shape = "web exports"          // aws-exports.js and flat JSON
	ShapeMobile  Shape = "mobile configuration" // amplifyconfiguration.json of iOS, Android and Flutter
	ShapeNative  Shape = "native configuration" // awsconfiguration.json
	ShapeManual  Shape = "manual configuration" // the Auth and Storage of Amplify.configure
)

// App is what an app's file says of its sign-in and storage. What it does not say is the zero value.
type App struct {
	File   string // as it was given
	Shape  Shape
	Region string // the project's

	IdentityPool IdentityPool
	UserPool     UserPool
	Guests       Guests
	MFA          MFA
	// UsernameAttributes are what people may sign in with instead of a user name: "email", "phone_number".
	UsernameAttributes []string
	Groups             []Group
	Endpoints          Endpoints

	// Buckets of the app. The first is the one that is used where none is named; a file without storage has none.
	Buckets      []Bucket
	DefaultLevel string // public, protected, private, or "" where the file does not say
	Prefixes     Prefixes

	lines map[string]int // by field
}

// IdentityPool gives AWS credentials to guests and to those who have signed in.
type IdentityPool struct {
	ID     string // "<region>:<uuid>"
	Region string
}

// UserPool is where people sign in.
type UserPool struct {
	ID           string // "<region>_<name>"
	ClientID     string
	ClientSecret Secret // of clients that have one; apps for browsers have none
	Region       string
	AuthFlow     string // such as USER_SRP_AUTH, as Cognito names them; "" = the default
}

// Guests tells whether those who have not signed in get credentials.
type Guests string

// What a file may say of guests.
const (
	GuestsUnknown Guests = ""
	GuestsAllowed Guests = "allowed"
	GuestsDenied  Guests = "denied"
)

// MFA is the second factor of a sign-in.
type MFA struct {
	Mode    string   // OFF, OPTIONAL, ON, or "" where the file does not say
	Methods []string // SMS, TOTP, EMAIL
}

// Group is a group of the user pool. Of the groups of one user, that of the lowest precedence gives the role.
type Group struct {
	Name       string
	Precedence int
}

// Endpoints are the Cognito services' addresses where they are not AWS's: URLs, or "".
type Endpoints struct {
	UserPool     string
	IdentityPool string
}

// Bucket is one of the app's.
type Bucket struct {
	Name       string // in the app; "" where the shape knows one bucket only
	BucketName string // in S3
	Region     string
	Endpoint   string // URL of a server for testing, "" = AWS
	PathStyle  bool
	Paths      []Path // in the file's order; none: the levels public, protected and private
}

// Path is an access rule of defineStorage, as the file has it.
type Path struct {
	Pattern string              // such as "media/*" or "private/${cognito-identity.amazonaws.com:sub}/*"
	Rules   map[string][]string // guest, authenticated, entityidentity, resource, groups<name>: get, list, write, delete
}

// Prefixes are Amplify's customPrefix, verbatim; nil where it is not set, which differs from "".
type Prefixes struct {
	Public, Protected, Private *string
}

// LocalEndpoint is where Amplify's dangerouslyConnectToHttpEndpointForTesting points: the server of `amplify mock storage`.
const LocalEndpoint = "http://localhost:20005"

// Line is where the file sets a field, counted from 1, 0 where it does not. Fields are named as in Go:
// "UserPool.ID", "Buckets[0].BucketName", "Buckets[0].Paths[2].Rules[guest]".
func (a *App) Line(field string) int { return a.lines[field] }

// Origin is "FILE:LINE" of a field, "" where the file does not set it.
func (a *App) Origin(field string) string {
	if line := a.lines[field]; line > 0 {
		return fmt.Sprintf("%s:%d", a.File, line)
	}
	return ""
}

// Bucket finds a bucket by its name in the app or in S3, "" being the first; it gives its index, -1 where there is none.
func (a *App) Bucket(name string) int {
	for i := range a.Buckets {
		if name == "" || a.Buckets[i].Name == name {
			return i
		}
	}
	for i := range a.Buckets {
		if a.Buckets[i].BucketName == name {
			return i
		}
	}
	return -1
}
