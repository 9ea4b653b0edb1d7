package local

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"go.uber.org/zap"
)

// DefaultBucket is the bucket of a [Config] that names none.
const DefaultBucket = "s3levelfs"

// Region is what the server signs for.
const Region = "us-east-1"

// rootAccess is fixed, as versitygw notes the access key of a bucket's owner in
// the bucket; the secret is what changes.
const rootAccess = "S3LEVELFSLOCALROOT"

// Roles of an [Account].
const (
	RoleUser  = "user"  // what the bucket policy grants
	RoleAdmin = "admin" // everything
)

// Account is one more user of the server.
type Account struct {
	Access string `json:"access"`
	Secret string `json:"secret"`
	Role   string `json:"role"` // "" = RoleUser
}

// Credentials sign requests to the server.
type Credentials struct {
	Access string `json:"access"`
	Secret string `json:"secret"`
}

// String hides the secret.
func (c Credentials) String() string { return c.Access + ":(secret)" }

// GoString hides the secret.
func (c Credentials) GoString() string { return c.String() }

// Config describes a server. Data is required.
type Config struct {
	// Data is the directory of the objects. It is made if its parent exists.
	Data string
	// Bucket is made on first use; "" = DefaultBucket.
	Bucket string
	// Listen is "" for a private unix socket, or an address of this machine:
	// "127.0.0.1:0" takes any free port.
	Listen string
	// StableCredentials keeps the root credentials in the data directory (mode
	// 0600), so that other programs can be configured with them. Without it
	// they are new at each start.
	StableCredentials bool
	// Accounts are users besides root, who see what Policy grants them.
	Accounts []Account
	// Policy is the bucket policy (JSON); "" leaves the bucket's as it is. Its
	// principals are access keys of Accounts.
	Policy string

	MaxAttempts int    // of s3store; 0 = its default
	Checksums   string // of s3store; "" = its default

	Log *zap.Logger // nil logs nothing
}

func (c Config) withDefaults() Config {
	if c.Bucket == "" {
		c.Bucket = DefaultBucket
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return c
}

// Validate reports the first setting that can not work.
func (c Config) Validate() error {
	if c.Data == "" {
		return errors.New("no data directory is set")
	}
	if c.Bucket != "" && !validBucket(c.Bucket) {
		return fmt.Errorf("bucket %q: must be 3 to 63 lower-case letters, digits, dots and hyphens", c.Bucket)
	}
	if c.Listen != "" {
		host, _, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return fmt.Errorf("listen address %q: must be HOST:PORT", c.Listen)
		}
		ip, err := netip.ParseAddr(host)
		if err != nil || !ip.IsLoopback() {
			return fmt.Errorf("listen address %q: must be an address of this machine alone, like 127.0.0.1:20005", c.Listen)
		}
	}
	for _, a := range c.Accounts {
		if a.Access == "" || a.Access == rootAccess || a.Secret == "" {
			return fmt.Errorf("account %q: needs an access key of its own and a secret", a.Access)
		}
		if a.Role != "" && a.Role != RoleUser && a.Role != RoleAdmin {
			return fmt.Errorf("account %q: role %q is not known", a.Access, a.Role)
		}
	}
	return nil
}

// validBucket keeps to the characters of S3's rules for bucket names, so that a
// name is one directory, and never the server's own; the server judges the rest.
func validBucket(name string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789.-"
	return len(name) >= 3 && len(name) <= 63 && strings.Trim(name, allowed) == "" && name[0] != '.' && name[0] != '-'
}

func newCredentials() Credentials {
	return Credentials{Access: rootAccess, Secret: rand.Text() + rand.Text()}
}
