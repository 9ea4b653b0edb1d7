package store_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
)

// TestCustomerKey: a key is read in its three forms, and is never printed.
func TestCustomerKey(t *testing.T) {
	raw := "0123456789abcdef0123456789ABCDE\n"
	md := md5.Sum([]byte(raw))
	wantSum := base64.StdEncoding.EncodeToString(md[:])
	coded := base64.StdEncoding.EncodeToString([]byte(raw))
	for _, content := range []string{raw, coded, coded + "\n", hex.EncodeToString([]byte(raw)), " " + hex.EncodeToString([]byte(raw)) + "\r\n"} {
		k, err := store.ParseCustomerKey([]byte(content))
		if err != nil {
			t.Fatalf("%q: %v", content, err)
		}
		key, sum := k.Headers()
		if key != coded || sum != wantSum {
			t.Errorf("%q: %q, %q", content, key, sum)
		}
		out, _ := json.Marshal(struct{ K any }{k})
		for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%v %+v %#v %x %s %d", *k, *k, *k, *k, k, k), string(out)} {
			if strings.Contains(text, "0123") || strings.Contains(text, "48, 49") || strings.Contains(text, "3031") || strings.Contains(text, coded[:8]) || !strings.Contains(text, "redacted") {
				t.Errorf("printed: %s", text)
			}
		}
	}
	for _, content := range []string{"", "short", raw + "x", coded[:40], strings.Repeat("zz", 32)} {
		if _, err := store.ParseCustomerKey([]byte(content)); err == nil || content != "" && strings.Contains(err.Error(), content) {
			t.Errorf("%q: %v", content, err)
		}
	}
}
