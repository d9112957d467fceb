package webhook

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The prefixes by which Standard Webhooks tells keys apart.
const (
	symmetricPrefix = "whsec_"
	privatePrefix   = "whsk_"
	publicPrefix    = "whpk_"
)

// The lengths of a symmetric secret in bytes: what is made here, and what Standard Webhooks allows. The library checks none of it.
const (
	secretLen = 32
	minSecret = 24
	maxSecret = 64
)

var encoding = base64.StdEncoding

// secret is what an endpoint's deliveries are signed with: a symmetric secret that the receiver knows, and a key pair for receivers that
// should not know how to sign.
type secret struct {
	Symmetric  string    `json:"symmetric"`
	Private    string    `json:"private"`
	CreatedAt  time.Time `json:"created_at"`
	ValidUntil time.Time `json:"valid_until,omitzero"` // zero = for good
}

// newSecret makes one; symmetric is what the configuration says, empty to have it made.
func newSecret(symmetric string, now time.Time) (secret, error) {
	if symmetric == "" {
		b := make([]byte, secretLen)
		rand.Read(b) // never fails
		symmetric = symmetricPrefix + encoding.EncodeToString(b)
	}
	if err := checkSymmetric(symmetric); err != nil {
		return secret{}, err
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return secret{}, err
	}
	return secret{Symmetric: symmetric, Private: privatePrefix + encoding.EncodeToString(private), CreatedAt: now}, nil
}

func checkSymmetric(s string) error {
	rest, ok := strings.CutPrefix(s, symmetricPrefix)
	b, err := encoding.DecodeString(rest)
	if !ok || err != nil || len(b) < minSecret || len(b) > maxSecret {
		return fmt.Errorf("it is not %s followed by %d to %d bytes in base64", symmetricPrefix, minSecret, maxSecret)
	}
	return nil
}

func (s secret) private() (ed25519.PrivateKey, error) {
	rest, ok := strings.CutPrefix(s.Private, privatePrefix)
	b, err := encoding.DecodeString(rest)
	if !ok || err != nil || len(b) != ed25519.PrivateKeySize {
		return nil, errors.New("the private key is not one of ed25519")
	}
	return b, nil
}

// public is the public key as receivers get it; empty when there is none.
func (s secret) public() string {
	private, err := s.private()
	if err != nil {
		return ""
	}
	return publicPrefix + encoding.EncodeToString(private.Public().(ed25519.PublicKey))
}

func (s secret) valid(now time.Time) bool { return s.ValidUntil.IsZero() || now.Before(s.ValidUntil) }

// sign is the value of the signature header: for each secret that is valid now one signature of each kind.
func sign(secrets []secret, id string, now time.Time, body []byte) (string, error) {
	var all []string
	for _, s := range secrets {
		if !s.valid(now) {
			continue
		}
		if err := checkSymmetric(s.Symmetric); err != nil {
			return "", fmt.Errorf("the secret cannot be used: %w", err)
		}
		hook, err := standardwebhooks.NewWebhook(s.Symmetric)
		if err != nil {
			return "", fmt.Errorf("the secret cannot be used: %w", err)
		}
		symmetric, err := hook.Sign(id, now, body)
		if err != nil {
			return "", err
		}
		private, err := s.private()
		if err != nil {
			return "", err
		}
		signed := ed25519.Sign(private, fmt.Appendf(nil, "%s.%d.%s", id, now.Unix(), body))
		all = append(all, symmetric, "v1a,"+encoding.EncodeToString(signed))
	}
	if len(all) == 0 {
		return "", errors.New("no secret is valid")
	}
	return strings.Join(all, " "), nil
}
