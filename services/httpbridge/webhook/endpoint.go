package webhook

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// The forms of the payload.
const (
	Thin = "thin" // what ended, how, and where it can be fetched
	Full = "full" // and the result itself, with the customer ID
)

// The states of an endpoint.
const (
	active   = "active"
	paused   = "paused"   // by an operator; deliveries wait
	disabled = "disabled" // the receiver said that it is gone; deliveries wait, new ones are refused
)

const maxSecrets = 4 // that sign at the same time

var endpointName = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// endpoint is who is told of results: the document in the bucket of endpoints.
type endpoint struct {
	ID        string    `json:"id"`
	URL       string    `json:"url"`
	Payload   string    `json:"payload"`
	State     string    `json:"state"`
	Reason    string    `json:"reason,omitempty"`    // why it is disabled
	NotBefore time.Time `json:"not_before,omitzero"` // until when it asked to be left alone
	CreatedAt time.Time `json:"created_at"`
	Secrets   []secret  `json:"secrets"` // the newest first; each but the first has an end
}

// readEndpoint reads a document of the bucket.
func readEndpoint(data []byte) (*endpoint, error) {
	e := &endpoint{}
	if err := json.Unmarshal(data, e); err != nil {
		return nil, fmt.Errorf("read endpoint: %w", err)
	}
	if !endpointName.MatchString(e.ID) || len(e.Secrets) == 0 {
		return nil, fmt.Errorf("read endpoint: it is incomplete")
	}
	return e, nil
}

// rotate makes s the secret; those before sign as well until the overlap is over.
func (e *endpoint) rotate(s secret, now time.Time, overlap time.Duration) {
	until := now.Add(overlap)
	kept := slices.DeleteFunc(slices.Clone(e.Secrets), func(s secret) bool { return !s.valid(now) })
	for i := range kept {
		if kept[i].ValidUntil.IsZero() || kept[i].ValidUntil.After(until) {
			kept[i].ValidUntil = until
		}
	}
	e.Secrets = append([]secret{s}, kept[:min(len(kept), maxSecrets-1)]...)
}

// has says whether a symmetric secret is the endpoint's, or was until not long ago.
func (e *endpoint) has(symmetric string) bool {
	return slices.ContainsFunc(e.Secrets, func(s secret) bool { return s.Symmetric == symmetric })
}
