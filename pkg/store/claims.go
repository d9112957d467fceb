package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

// Claim claims the call of a calculation's backend for a worker, for good: nobody else will ever get it. Own says that it is, or was already,
// this worker's; renewed is when its holder last gave a sign of life. It is kept until keep after the last one.
func (s *Store) Claim(ctx context.Context, id correlation.ID, worker string, keep time.Duration) (own bool, renewed time.Time, err error) {
	for {
		_, err = bus.Publish(ctx, s.nc, claim(id, worker), bus.ExpectLast(0), bus.KeepFor(keep))
		if err == nil {
			return true, time.Time{}, nil
		}
		if !errors.Is(err, bus.ErrConflict) {
			return false, time.Time{}, fmt.Errorf("claim %s: %w", id, err)
		}
		m, err := s.get(ctx, subject.Timers, query{Last: subject.Claim(id)}, Leader)
		if err == nil {
			return string(m.data) == worker, m.time, nil
		}
		if !errors.Is(err, errNone) {
			return false, time.Time{}, err
		}
	}
}

// RenewClaim gives a sign of life.
func (s *Store) RenewClaim(ctx context.Context, id correlation.ID, worker string, keep time.Duration) error {
	msg := claim(id, worker)
	msg.Header = nats.Header{"Nats-Rollup": {"sub"}} // replaces the one before
	if _, err := bus.Publish(ctx, s.nc, msg, bus.KeepFor(keep)); err != nil {
		return fmt.Errorf("renew claim of %s: %w", id, err)
	}
	return nil
}

func claim(id correlation.ID, worker string) *nats.Msg {
	return &nats.Msg{Subject: subject.Claim(id), Data: []byte(worker)}
}
