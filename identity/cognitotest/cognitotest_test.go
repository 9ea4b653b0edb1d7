package cognitotest

import (
	"maps"
	"math/big"
	"testing"
	"time"
)

// TestTOTP: the test vectors of RFC 6238, appendix B, with their last six digits.
func TestTOTP(t *testing.T) {
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := totp([]byte("12345678901234567890"), time.Unix(at, 0)); got != want {
			t.Errorf("at %d: %s, want %s", at, got, want)
		}
	}
}

// TestGroup: the prime has 3,072 bits and is a safe one.
func TestGroup(t *testing.T) {
	n, _, k := group()
	half := new(big.Int).Rsh(n, 1)
	if n.BitLen() != 3072 || !n.ProbablyPrime(1) || !half.ProbablyPrime(1) || k.Sign() == 0 {
		t.Errorf("%d bits", n.BitLen())
	}
}

// TestTokensAreChecked: of another key, expired, or changed, a token is not believed.
func TestTokensAreChecked(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{"iss": s.cfg.issuer(), "aud": ClientID, "token_use": "id", "sub": "x", "exp": time.Now().Add(time.Hour).Unix()}
	sign := func(s *Server, change string, to any) string {
		c := maps.Clone(claims)
		if change != "" {
			c[change] = to
		}
		token, err := s.sign(c)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if _, ok := s.verified(sign(s, "", nil)); !ok {
		t.Error("a good token is refused")
	}
	for name, token := range map[string]string{
		"another key": sign(other, "", nil), "expired": sign(s, "exp", time.Now().Add(-time.Hour).Unix()), "another pool": sign(s, "iss", "x"),
		"another client": sign(s, "aud", "x"), "an access token": sign(s, "token_use", "access"), "nothing": "", "cut": sign(s, "", nil)[:60],
	} {
		if _, ok := s.verified(token); ok {
			t.Errorf("%s: believed", name)
		}
	}
}
