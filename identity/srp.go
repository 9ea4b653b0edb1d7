package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"
)

// srpPrime is the 3072-bit group of RFC 5054, appendix A; its generator is 2.
const srpPrime = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74" +
	"020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437" +
	"4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED" +
	"EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF05" +
	"98DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB" +
	"9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B" +
	"E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF695581718" +
	"3995497CEA956AE515D2261898FA051015728E5A8AAAC42DAD33170D04507A33" +
	"A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7" +
	"ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864" +
	"D87602733EC86A64521F2B18177B200CBBE117577A615D6C770988C0BAD946E2" +
	"08E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF"

const (
	srpExponentBytes = 128 // of the client's random exponent, as Amplify's
	srpInfo          = "Caldera Derived Key\x01"
	srpKeyBytes      = 16
	// srpTimestamp is Cognito's form of a time: English, UTC, the day not padded.
	srpTimestamp = "Mon Jan 2 15:04:05 UTC 2006"
)

var errSRP = errors.New("the server's SRP values are not usable: it is not a Cognito user pool, or somebody is in between")

// srpClient is one run of the Secure Remote Password protocol (RFC 5054, SRP-6a) as Cognito's USER_SRP_AUTH has it:
// the password itself never leaves this machine.
type srpClient struct {
	n, g, k *big.Int
	a, bigA *big.Int
}

// newSRP draws the client's exponent from random.
func newSRP(random io.Reader) (*srpClient, error) {
	exponent := make([]byte, srpExponentBytes)
	if _, err := io.ReadFull(random, exponent); err != nil {
		return nil, fmt.Errorf("srp: %w", err)
	}
	n, ok := new(big.Int).SetString(srpPrime, 16)
	if !ok {
		return nil, errSRP
	}
	c := &srpClient{n: n, g: big.NewInt(2), a: new(big.Int).SetBytes(exponent)}
	c.k = hashInt(padded(c.n), padded(c.g))
	c.bigA = new(big.Int).Exp(c.g, c.a, c.n)
	if c.bigA.Sign() == 0 {
		return nil, errSRP
	}
	return c, nil
}

// newRandomSRP is newSRP with the system's random numbers.
func newRandomSRP() (*srpClient, error) { return newSRP(rand.Reader) }

// public is SRP_A, in hex.
func (c *srpClient) public() string { return c.bigA.Text(16) }

// srpChallenge is what PASSWORD_VERIFIER asks, as it came.
type srpChallenge struct {
	poolName    string // the part of the pool's id behind "_"
	userID      string // USER_ID_FOR_SRP
	salt        string // hex
	bigB        string // SRP_B, hex
	secretBlock string // base64
}

// key derives the key that proves the password.
func (c *srpClient) key(ch srpChallenge, password Secret) ([]byte, error) {
	u, s, err := c.shared(ch, password)
	if err != nil {
		return nil, err
	}
	return mac(mac(padded(u), padded(s)), []byte(srpInfo))[:srpKeyBytes], nil
}

// shared is the number S that both sides know, and the u that it was made with.
func (c *srpClient) shared(ch srpChallenge, password Secret) (u, s *big.Int, err error) {
	salt, okSalt := new(big.Int).SetString(ch.salt, 16)
	bigB, okB := new(big.Int).SetString(ch.bigB, 16)
	if !okSalt || !okB || new(big.Int).Mod(bigB, c.n).Sign() == 0 {
		return nil, nil, errSRP
	}
	u = hashInt(padded(c.bigA), padded(bigB))
	if u.Sign() == 0 {
		return nil, nil, errSRP
	}
	inner := sha256.Sum256([]byte(ch.poolName + ch.userID + ":" + password.Reveal()))
	x := hashInt(padded(salt), inner[:])
	// S = (B - k*g^x) ^ (a + u*x) mod N
	base := new(big.Int).Exp(c.g, x, c.n)
	base.Sub(bigB, base.Mul(c.k, base)).Mod(base, c.n)
	exponent := new(big.Int).Add(c.a, new(big.Int).Mul(u, x))
	return u, new(big.Int).Exp(base, exponent, c.n), nil
}

// sign answers the challenge: PASSWORD_CLAIM_SIGNATURE and the TIMESTAMP that it covers.
func (c *srpClient) sign(ch srpChallenge, password Secret, now time.Time) (signature, timestamp string, err error) {
	key, err := c.key(ch, password)
	if err != nil {
		return "", "", err
	}
	block, err := base64.StdEncoding.DecodeString(ch.secretBlock)
	if err != nil {
		return "", "", errSRP
	}
	timestamp = now.UTC().Format(srpTimestamp)
	sum := mac(key, []byte(ch.poolName), []byte(ch.userID), block, []byte(timestamp))
	return base64.StdEncoding.EncodeToString(sum), timestamp, nil
}

// padded is a number as Cognito hashes it: whole bytes, and a zero byte in front where the first bit is set.
func padded(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0] >= 0x80 {
		return append([]byte{0}, b...)
	}
	return b
}

func hashInt(parts ...[]byte) *big.Int {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(p) // never fails
	}
	return new(big.Int).SetBytes(h.Sum(nil))
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		_, _ = h.Write(p) // never fails
	}
	return h.Sum(nil)
}

// secretHash is SECRET_HASH, which an app client that has a secret wants with each request that names a user.
func secretHash(user, clientID string, secret Secret) string {
	return base64.StdEncoding.EncodeToString(mac([]byte(secret.Reveal()), []byte(user), []byte(clientID)))
}

// poolName is what SRP calls the pool: its id without the region.
func poolName(userPoolID string) string {
	_, name, _ := strings.Cut(userPoolID, "_")
	return name
}
