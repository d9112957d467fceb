package correlator

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// timeout ends the calculation whose timer fired. A fired timer is a hint: the calculation decides.
func (s *Service) timeout(ctx context.Context, msg jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, s.patience())
	defer cancel()
	id, ok := subject.ParseID(msg.Subject())
	if ok {
		c, _, err := s.store.Find(ctx, id, store.Leader)
		if err == nil && c != nil {
			if early := time.Until(c.Deadline.AsTime()); early > 0 { // by another clock, or it was no timer of ours
				if err := msg.NakWithDelay(early); err != nil {
					s.log.Warn("an early timer is not put back", zap.Stringer("correlation_id", id), zap.Error(err))
				}
				return
			}
			err = s.expire(ctx, c)
		}
		if err != nil {
			s.log.Warn("a passed deadline is not settled yet", zap.Stringer("correlation_id", id), zap.Error(err))
			return // redelivered after AckWait
		}
	}
	if err := msg.Ack(); err != nil {
		s.log.Warn("a passed deadline is not acknowledged", zap.Error(err))
	}
}

// expire completes a calculation as one whose deadline has passed, if nothing has completed it before.
func (s *Service) expire(ctx context.Context, c *store.Calculation) error {
	stored, err := s.store.Complete(ctx, c.ID, &scorev1.Completion{
		CorrelationId: c.CorrelationId, Key: c.Key.String(), Sequence: c.Sequence, Calculation: c.Calculation, BeganAt: c.CreatedAt,
		End: &scorev1.Completion_Failed{Failed: &scorev1.Failure{
			Code: scorev1.Code_DEADLINE_EXCEEDED, Message: "the calculation did not end by its deadline", Retryable: true,
		}},
	})
	if err == nil && stored {
		s.log.Warn("overdue", zap.Stringer("correlation_id", c.ID), zap.Time("deadline", c.Deadline.AsTime()))
	}
	return err
}

// sweep ends, from time to time, the calculations that are overdue though nothing told so: no adapter was alive, or a timer was lost.
func (s *Service) sweep(ctx context.Context) {
	for {
		wait := s.cfg.SweepEvery/2 + rand.N(s.cfg.SweepEvery) // correlators need not all look at once
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		longest := time.Duration(0)
		for _, product := range s.cfg.Products.Names() {
			deadline := s.cfg.Products[product].Deadline
			longest = max(longest, deadline)
			s.sweepProduct(ctx, product, deadline)
		}
		s.sweepProduct(ctx, anyProduct, longest) // also those that are no longer configured
		if err := s.store.RejectStrays(ctx, time.Now().Add(-grace)); err != nil && ctx.Err() == nil {
			s.log.Warn("strays cannot be looked for", zap.Error(err))
		}
	}
}

const anyProduct = "*"

// grace is how long past its deadline a calculation is left to its adapter and its timer.
const grace = 2 * time.Second

// sweepProduct goes from the oldest calculation to the first that began too late to be overdue, so it costs one read when there is none.
func (s *Service) sweepProduct(ctx context.Context, product string, longest time.Duration) {
	now := time.Now()
	var failed error
	err := s.store.Oldest(ctx, product, func(c *store.Calculation) bool {
		if now.After(c.Deadline.AsTime().Add(grace)) {
			failed = s.expire(ctx, c)
		}
		return failed == nil && now.Sub(c.CreatedAt.AsTime()) > longest
	})
	if err = errors.Join(err, failed); err != nil && ctx.Err() == nil {
		s.log.Warn("overdue calculations cannot be looked for", zap.String("product", product), zap.Error(err))
	}
}
