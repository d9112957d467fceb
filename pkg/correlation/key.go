package correlation

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"hash"
	"regexp"
	"strings"
	"sync"
)

const (
	tokenLen = 26 // 130 bits, five a character
	slotLen  = 6  // 30 bits
	alphabet = "0123456789abcdefghijklmnopqrstuv"
)

var (
	base32hex = base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)
	product   = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
)

// Key stands for one customer and product of one tenant. Its parts are tokens of a subject.
type Key struct {
	Product string
	Slot    string // the first 30 bits of Token
	Token   string // a keyed hash of tenant and customer
}

// String is `<product>.<slot>.<token>`.
func (k Key) String() string { return k.Product + "." + k.Slot + "." + k.Token }

// ParseKey reads what Key.String wrote.
func ParseKey(s string) (Key, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return Key{}, false
	}
	k := Key{Product: parts[0], Slot: parts[1], Token: parts[2]}
	ok := ValidProduct(k.Product) && len(k.Token) == tokenLen && strings.Trim(k.Token, alphabet) == "" && k.Slot == k.Token[:slotLen]
	return k, ok
}

// ValidProduct says whether s can name a product.
func ValidProduct(s string) bool { return product.MatchString(s) }

// MinSecret is the least length of a Pseudonymizer's secret, in bytes.
const MinSecret = 32

// Pseudonymizer turns customer IDs into keys. The same secret gives the same keys: all gateways of a suite share it, and a lost secret
// means that every score is calculated anew. Safe for concurrent use.
type Pseudonymizer struct {
	digests sync.Pool // to set one up with the secret takes longer than to use it
}

// digest is what one call works with.
type digest struct {
	mac   hash.Hash
	named []byte // what is hashed
	sum   []byte
	text  []byte
}

// NewPseudonymizer takes a secret of at least MinSecret bytes.
func NewPseudonymizer(secret []byte) (*Pseudonymizer, error) {
	if len(secret) < MinSecret {
		return nil, errors.New("the secret is shorter than 32 bytes")
	}
	p := &Pseudonymizer{}
	p.digests.New = func() any { return &digest{mac: hmac.New(sha256.New, secret)} }
	return p, nil
}

// Key is the key of a customer and product. A NUL separates tenant and customer; neither may contain one.
func (p *Pseudonymizer) Key(tenant, product, customerID string) Key {
	d := p.digests.Get().(*digest)
	defer p.digests.Put(d)
	d.named = append(append(append(d.named[:0], tenant...), 0), customerID...)
	d.mac.Reset()
	d.mac.Write(d.named)
	d.sum = d.mac.Sum(d.sum[:0])
	d.text = base32hex.AppendEncode(d.text[:0], d.sum)
	token := string(d.text[:tokenLen])
	return Key{Product: product, Slot: token[:slotLen], Token: token}
}

func slotNumber(slot string) uint32 {
	var n uint32
	for _, c := range []byte(slot) {
		n = n<<5 | uint32(strings.IndexByte(alphabet, c))&31
	}
	return n
}

func slotString(n uint32) string {
	var b [slotLen]byte
	for i := range b {
		b[i] = alphabet[n>>(5*(slotLen-1-i))&31]
	}
	return string(b[:])
}
