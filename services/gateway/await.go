package gateway

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/store"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// await has w wait for a result that may be there already: it begins to listen, then looks, then waits. A waiter that may not wait is
// answered PENDING.
func (s *Service) await(ctx context.Context, w *waiter) error {
	if !s.waiting.add(w) {
		s.pending(w)
		return nil
	}
	s.waiting.arm(w, w.state, s.pending)
	result, err := s.store.Result(ctx, w.id, store.Any)
	if err != nil {
		if s.waiting.remove(w) {
			return err
		}
		return nil
	}
	if result != nil && s.waiting.remove(w) {
		s.tell(w, prepare(common(result)))
	}
	return nil
}

// settled tells a result to those who wait for it.
func (s *Service) settled(id correlation.ID, data []byte) {
	waiters := s.waiting.take(id)
	if len(waiters) == 0 {
		return
	}
	result, err := store.ReadResult(data)
	if err != nil {
		s.log.Error("a result cannot be read", zap.Stringer("correlation_id", id), zap.Error(err))
		for _, w := range waiters {
			s.pending(w)
		}
		return
	}
	p := prepare(common(result))
	for _, w := range waiters {
		if w.own == scorev1.Cache_MISS {
			s.durations.took(w.product, time.Since(w.started))
		}
		s.tell(w, p)
	}
}

// common is what a result says to everyone: all but the customer's ID, which is said in the words of the request.
func common(result *scorev1.Answer) *scorev1.Answer {
	result.CustomerId = ""
	return result
}

// tell answers a waiter with a result.
func (s *Service) tell(w *waiter, result *prepared) {
	own := &scorev1.Answer{CustomerId: w.customer, Cache: w.own, ClientReference: w.ref}
	now := time.Now()
	if sc := result.Score; sc != nil {
		own.Age = age(sc.CalculatedAt.AsTime(), now)
		own.Expired = w.own == scorev1.Cache_CACHE_UNSPECIFIED && !now.Before(sc.ValidUntil.AsTime())
	}
	give(w.req, result, own)
}

// pending answers a waiter that the calculation goes on.
func (s *Service) pending(w *waiter) {
	w.req.Answer(&scorev1.Answer{
		CorrelationId: w.id.String(), Status: scorev1.Status_PENDING, State: w.state, Eta: s.durations.eta(w.product, w.started, time.Now()),
		Product: w.product, CustomerId: w.customer, Cache: w.own, ClientReference: w.ref,
	})
}
