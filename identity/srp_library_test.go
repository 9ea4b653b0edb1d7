package identity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// jsVector is a sign-in as amazon-cognito-identity-js computes it, of which tests/amplify holds the file against the library.
type jsVector struct {
	Given struct {
		Pool, User, Password, A, BigB, Salt, SecretBlock, Timestamp string
	}
	Want struct {
		BigA, U, S, Key, Signature string
	}
}

// TestSRPOfTheJSLibrary: the same numbers, for inputs whose lengths, first bits and letters are all there is.
func TestSRPOfTheJSLibrary(t *testing.T) {
	text, err := os.ReadFile("testdata/srp_js.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []jsVector
	if err := json.Unmarshal(text, &all); err != nil || len(all) < 20 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	for i, v := range all {
		exponent, err := hex.DecodeString(v.Given.A)
		if err != nil {
			t.Fatal(err)
		}
		c, err := newSRP(bytes.NewReader(exponent))
		if err != nil {
			t.Fatal(err)
		}
		ch := srpChallenge{poolName: poolName(v.Given.Pool), userID: v.Given.User, salt: v.Given.Salt, bigB: v.Given.BigB, secretBlock: v.Given.SecretBlock}
		u, s, err := c.shared(ch, Secret(v.Given.Password))
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		key, err := c.key(ch, Secret(v.Given.Password))
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		at, err := time.Parse(srpTimestamp, v.Given.Timestamp)
		if err != nil {
			t.Fatal(err)
		}
		signature, stamp, err := c.sign(ch, Secret(v.Given.Password), at)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		got := v
		got.Given.Timestamp = stamp
		got.Want.BigA, got.Want.U, got.Want.S = c.public(), u.Text(16), s.Text(16)
		got.Want.Key, got.Want.Signature = hex.EncodeToString(key), signature
		if got != v {
			t.Errorf("%d: got %+v at %s, want %+v at %s", i, got.Want, stamp, v.Want, v.Given.Timestamp)
		}
	}
	t.Logf("%d sign-ins: A, u, S, key and signature are the library's", len(all))
}
