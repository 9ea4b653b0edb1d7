package identity

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"
)

// vector was computed by Amplify JS 6's own classes.
type vector struct {
	PoolName, Username, Password            string
	SmallA                                  string
	Salt, HKDF, SecretBlock, Timestamp, Sig string
	BigA, BigB                              string
	Prime                                   string
}

func readVector(t *testing.T) vector {
	t.Helper()
	text, err := os.ReadFile("testdata/srp_vector.json")
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]string // its names differ in case alone, which encoding/json does not tell apart
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return vector{
		PoolName: m["poolName"], Username: m["username"], Password: m["password"], SmallA: m["a"], BigA: m["A"], BigB: m["B"],
		Salt: m["salt"], HKDF: m["hkdf"], SecretBlock: m["secretBlock"], Timestamp: m["timestamp"], Sig: m["signature"], Prime: m["N"],
	}
}

// TestSRPVector: bit for bit what Amplify computes.
func TestSRPVector(t *testing.T) {
	v := readVector(t)
	exponent, err := hex.DecodeString(v.SmallA)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newSRP(bytes.NewReader(exponent))
	if err != nil {
		t.Fatal(err)
	}
	if v.Prime != srpPrime {
		t.Error("another group")
	}
	if got := c.public(); got != v.BigA {
		t.Errorf("A = %s, want %s", got, v.BigA)
	}
	ch := srpChallenge{poolName: v.PoolName, userID: v.Username, salt: v.Salt, bigB: v.BigB, secretBlock: v.SecretBlock}
	key, err := c.key(ch, Secret(v.Password))
	if err != nil || hex.EncodeToString(key) != v.HKDF {
		t.Errorf("key = %x, %v, want %s", key, err, v.HKDF)
	}
	at := time.Date(2026, time.February, 3, 5, 5, 6, 0, time.FixedZone("CET", 3600))
	sig, stamp, err := c.sign(ch, Secret(v.Password), at)
	if err != nil || sig != v.Sig || stamp != v.Timestamp {
		t.Errorf("signature %s at %q, %v, want %s at %q", sig, stamp, err, v.Sig, v.Timestamp)
	}
}

// TestSRPRefusesBadValues: those that would let somebody in between learn the key, and what is no number at all.
func TestSRPRefusesBadValues(t *testing.T) {
	c, err := newRandomSRP()
	if err != nil {
		t.Fatal(err)
	}
	good := srpChallenge{poolName: "p", userID: "u", salt: "ab", bigB: "1234", secretBlock: "YQ=="}
	for name, change := range map[string]func(*srpChallenge){
		"B is 0":          func(ch *srpChallenge) { ch.bigB = "0" },
		"B is N":          func(ch *srpChallenge) { ch.bigB = srpPrime },
		"B is no number":  func(ch *srpChallenge) { ch.bigB = "xyz" },
		"salt is missing": func(ch *srpChallenge) { ch.salt = "" },
		"no base64":       func(ch *srpChallenge) { ch.secretBlock = "%" },
	} {
		ch := good
		change(&ch)
		if _, _, err := c.sign(ch, "password", time.Now()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, _, err := c.sign(good, "password", time.Now()); err != nil {
		t.Errorf("good values: %v", err)
	}
	if _, err := newSRP(bytes.NewReader(make([]byte, 5))); err == nil {
		t.Error("too few random numbers were enough")
	}
}
