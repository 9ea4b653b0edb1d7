package store_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// TestCredentialsNeverPrint: not by any verb, not in JSON, not inside of options.
func TestCredentialsNeverPrint(t *testing.T) {
	for _, expires := range []time.Time{{}, time.Unix(1, 0)} {
		c := store.Credentials{AccessKey: "AKIDX", SecretKey: "hunter2", SessionToken: "hunter3", Expires: expires}
		doc, err := json.Marshal(struct{ C store.Credentials }{c})
		if err != nil {
			t.Fatal(err)
		}
		all := string(doc)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			all += fmt.Sprintf(verb, c) + fmt.Sprintf(verb, &c) + fmt.Sprintf(verb, []store.Credentials{c})
		}
		if strings.Contains(all, "hunter") || strings.Contains(all, fmt.Sprintf("%x", "hunter")) || !strings.Contains(all, "redacted") {
			t.Error(all)
		}
	}
}
