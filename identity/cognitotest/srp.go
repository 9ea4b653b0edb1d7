package cognitotest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"math/big"
	"strings"
)

// The server's side of SRP-6a as Cognito has it, written from RFC 5054 and not from the client: N is its 3072-bit group.
const groupN = `
FFFFFFFF FFFFFFFF C90FDAA2 2168C234 C4C6628B 80DC1CD1 29024E08 8A67CC74 020BBEA6 3B139B22 514A0879 8E3404DD
EF9519B3 CD3A431B 302B0A6D F25F1437 4FE1356D 6D51C245 E485B576 625E7EC6 F44C42E9 A637ED6B 0BFF5CB6 F406B7ED
EE386BFB 5A899FA5 AE9F2411 7C4B1FE6 49286651 ECE45B3D C2007CB8 A163BF05 98DA4836 1C55D39A 69163FA8 FD24CF5F
83655D23 DCA3AD96 1C62F356 208552BB 9ED52907 7096966D 670C354E 4ABC9804 F1746C08 CA18217C 32905E46 2E36CE3B
E39E772C 180E8603 9B2783A2 EC07A28F B5C55DF0 6F4C52C9 DE2BCBF6 95581718 3995497C EA956AE5 15D22618 98FA0510
15728E5A 8AAAC42D AD33170D 04507A33 A85521AB DF1CBA64 ECFB8504 58DBEF0A 8AEA7157 5D060C7D B3970F85 A6E1E4C7
ABF5AE8C DB0933D7 1E8C94E0 4A25619D CEE3D226 1AD2EE6B F12FFA06 D98A0864 D8760273 3EC86A64 521F2B18 177B200C
BBE11757 7A615D6C 770988C0 BAD946E2 08E24FA0 74E5AB31 43DB5BFC E0FD108E 4B82D120 A93AD2CA FFFFFFFF FFFFFFFF`

func group() (n, g, k *big.Int) {
	n = number(strings.Join(strings.Fields(groupN), ""))
	g = big.NewInt(2)
	return n, g, hash(pad(n), pad(g))
}

func number(hexText string) *big.Int {
	n, ok := new(big.Int).SetString(hexText, 16)
	if !ok {
		return new(big.Int)
	}
	return n
}

// pad gives a number's bytes as those of a signed one that is positive.
func pad(n *big.Int) []byte {
	b := n.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return b
}

func hash(parts ...[]byte) *big.Int {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(p)
	}
	return new(big.Int).SetBytes(h.Sum(nil))
}

func hmacOf(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		_, _ = h.Write(p)
	}
	return h.Sum(nil)
}

// poolName is the id of a user pool without its region.
func poolName(id string) string {
	_, name, _ := strings.Cut(id, "_")
	return name
}

// newVerifier is what a server keeps of a password.
func newVerifier(pool, name, password string) (salt, verifier string) {
	salt = randomHex(16)
	n, g, _ := group()
	inner := sha256.Sum256([]byte(pool + name + ":" + password))
	x := hash(pad(number(salt)), inner[:])
	return salt, new(big.Int).Exp(g, x, n).Text(16)
}

// proof is one sign-in by SRP that waits for its signature.
type proof struct {
	bigA, b, bigB *big.Int
	secretBlock   string
}

func newProof(srpA string, u *user) (*proof, bool) {
	n, g, k := group()
	p := &proof{bigA: number(srpA), b: new(big.Int).SetBytes(random(128)), secretBlock: base64.StdEncoding.EncodeToString(random(64))}
	if new(big.Int).Mod(p.bigA, n).Sign() == 0 {
		return nil, false
	}
	p.bigB = new(big.Int).Mul(k, number(u.verifier))
	p.bigB.Add(p.bigB, new(big.Int).Exp(g, p.b, n)).Mod(p.bigB, n)
	return p, true
}

// holds checks the client's signature: S = (A * v^u) ^ b.
func (p *proof) holds(u *user, secretBlock, timestamp, signature string) bool {
	n, _, _ := group()
	scramble := hash(pad(p.bigA), pad(p.bigB))
	s := new(big.Int).Exp(number(u.verifier), scramble, n)
	s.Mul(s, p.bigA).Exp(s, p.b, n)
	key := hmacOf(hmacOf(pad(scramble), pad(s)), []byte("Caldera Derived Key\x01"))[:16]
	block, _ := base64.StdEncoding.DecodeString(p.secretBlock)
	want := hmacOf(key, []byte(u.pool), []byte(u.Name), block, []byte(timestamp))
	got, _ := base64.StdEncoding.DecodeString(signature)
	return secretBlock == p.secretBlock && hmac.Equal(want, got)
}
