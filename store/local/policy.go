//go:build !nolocal

package local

import (
	"os"

	"github.com/versity/versitygw/backend/meta"
)

// policyAttr is versitygw's name of the attribute that holds a bucket's policy.
const policyAttr = "policy"

// policyMeta answers for the policy that the server was started with. It stays in
// memory: a policy may be longer than a filesystem allows an attribute to be (4 KiB
// on ext4), and it names accounts that are gone with the process.
type policyMeta struct {
	meta.MetadataStorer
	bucket string
	policy []byte
}

// RetrieveAttribute implements [meta.MetadataStorer].
func (p *policyMeta) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	if attribute == policyAttr && bucket == p.bucket && object == "" {
		return p.policy, nil
	}
	return p.MetadataStorer.RetrieveAttribute(f, bucket, object, attribute)
}
