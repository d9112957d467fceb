package adapter

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/trace"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Call is one call of a backend.
type Call struct {
	ID         correlation.ID
	Product    string
	CustomerID string
	Attributes map[string]string
	Deadline   time.Time // the calculation's: nothing is waited for beyond it
	Callback   *Callback // only for backends that notify later
	Trace      trace.Context
}

// Callback is where a backend notifies, and with what it proves that it was given this one calculation.
type Callback struct {
	URL   string
	Token string
}

// Backend calculates.
type Backend interface {
	// Call returns what the backend reports; nil without an error means that the calculation was handed over and the backend will notify.
	//
	// The error is a *fault.Error with one of BACKEND_UNAVAILABLE, BACKEND_DECLINED, UNKNOWN_OUTCOME and DEADLINE_EXCEEDED, whose text is
	// ours alone: it repeats nothing that was sent or answered. Or it is ctx's own, when ctx was cancelled; then nothing final is known and
	// the work is left for redelivery. Safe for concurrent use.
	Call(ctx context.Context, c Call) (*scorev1.Report, error)
}

// newBackend is the one place that knows the kinds. p is valid and has its defaults.
func newBackend(p product.Backend, client *http.Client) (Backend, error) {
	switch p.Kind {
	case product.HTTP, product.HTTPCallback:
		return &httpBackend{
			url:        p.URL,
			client:     client,
			handsOver:  p.Kind == product.HTTPCallback,
			atMostOnce: p.Call == product.AtMostOnce,
			retries:    newRetries(p.Attempts),
		}, nil
	}
	return nil, fmt.Errorf("backend.kind: %q is unknown", p.Kind)
}
