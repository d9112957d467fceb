package httpbridge

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Those who look take turns; who waits too long for his, has gone, or has lost NATS, waits no longer.
func TestLooksTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Service{looks: make(chan struct{}, 1)}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		gone, leave := context.WithCancel(t.Context())
		left := r.WithContext(gone)
		broken, breaks := context.WithCancel(t.Context())
		if err := s.turn(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Second, func() { <-s.looks })
		if err := s.turn(t.Context(), r); err != nil {
			t.Error(err)
		}
		began := time.Now()
		f, ok := errors.AsType[*fault.Error](s.turn(t.Context(), r))
		if !ok || f.Code != scorev1.Code_OVERLOADED || !f.Retryable() || time.Since(began) != turnWithin {
			t.Errorf("%v after %v", f, time.Since(began))
		}
		time.AfterFunc(time.Second, leave)
		if err := s.turn(t.Context(), left); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		time.AfterFunc(time.Second, breaks)
		if err := s.turn(broken, r); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
