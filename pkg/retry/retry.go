// Package retry repeats what may succeed later. How long to wait is a policy, never the business of who tries.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Policy is how long to wait between tries: from First, doubled each time, to at most Most, each with jitter of up to half.
type Policy struct {
	First, Most time.Duration
}

// Broker is for what NATS does not take or tell now: an election takes seconds.
var Broker = Policy{First: 20 * time.Millisecond, Most: time.Second}

// Delay is how long to wait after the n-th try, n from 1.
func (p Policy) Delay(n int) time.Duration {
	d := p.Most
	if shift := n - 1; shift < 32 && p.First<<shift < p.Most {
		d = p.First << shift
	}
	return d - rand.N(d/2+1)
}

type stop struct{ error }

func (s stop) Unwrap() error { return s.error }

// Stop marks an error as one that will not pass.
func Stop(err error) error { return stop{err} }

// Do tries until it succeeds, or fails with an error marked by Stop, which it returns without the mark, or ctx ends; then the error is both
// ctx's and that of the last try.
func Do(ctx context.Context, p Policy, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		if err == nil {
			return nil
		}
		if s, ok := errors.AsType[stop](err); ok {
			return s.error
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(p.Delay(n)):
		}
	}
}
