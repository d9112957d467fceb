package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errTry = errors.New("not now")

func TestDoRepeatsUntilItSucceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		err := Do(t.Context(), Broker, func() error {
			if n++; n < 50 {
				return errTry
			}
			return nil
		})
		if err != nil || n != 50 {
			t.Errorf("%d tries: %v", n, err)
		}
	})
}

func TestDoStops(t *testing.T) {
	n := 0
	if err := Do(t.Context(), Broker, func() error { n++; return Stop(errTry) }); err != errTry || n != 1 {
		t.Errorf("%d tries: %v", n, err)
	}
}

func TestDoEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := Do(ctx, Broker, func() error { return errTry })
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errTry) {
			t.Error(err)
		}
	})
}

func TestDelaysStayInBounds(t *testing.T) {
	p := Policy{First: time.Millisecond, Most: time.Second}
	for n := 1; n < 200; n++ {
		if d := p.Delay(n); d < p.First/2 || d > p.Most {
			t.Fatalf("after try %d: %v", n, d)
		}
	}
}
