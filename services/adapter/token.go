package adapter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/store"
)

// tokens makes and checks the token that a backend gets with a calculation and notifies with. It says where the calculation stands and when
// the backend was called, signed together with the correlation ID; so a notification is checked, and finds its calculation, without a look
// at any store, however late it comes.
type tokens struct{ secret []byte }

// place is what a token says.
type place struct {
	key      correlation.Key
	sequence uint64
	called   time.Time // in whole milliseconds
}

var encoding = base64.RawURLEncoding

// issue makes the token of a calculation whose backend is called now.
func (t tokens) issue(c *store.Calculation, now time.Time) string {
	said := fmt.Sprintf("%s %d %d", c.Key, c.Sequence, now.UnixMilli())
	return encoding.EncodeToString([]byte(said)) + "." + encoding.EncodeToString(t.sign(c.ID, said))
}

// open checks a token for a correlation ID.
func (t tokens) open(id correlation.ID, token string) (place, bool) {
	front, back, _ := strings.Cut(token, ".")
	said, err := encoding.DecodeString(front)
	if err != nil {
		return place{}, false
	}
	signature, err := encoding.DecodeString(back)
	if err != nil || !hmac.Equal(signature, t.sign(id, string(said))) {
		return place{}, false
	}
	var key string
	var p place
	var ms int64
	if _, err := fmt.Sscanf(string(said), "%s %d %d", &key, &p.sequence, &ms); err != nil {
		return place{}, false
	}
	p.called = time.UnixMilli(ms)
	p.key, _ = correlation.ParseKey(key) // signed, so ours
	return p, true
}

func (t tokens) sign(id correlation.ID, said string) []byte {
	mac := hmac.New(sha256.New, t.secret)
	mac.Write([]byte("notification token of "))
	mac.Write(id[:])
	mac.Write([]byte(said))
	return mac.Sum(nil)
}
