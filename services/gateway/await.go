package gateway

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/store"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// await has w wait for a result that may be there already: it begins to listen, then looks, then waits. A waiter that may not wait is
// answered PENDING.
func (s *Service) await(ctx context.Context, w *waiter, key correlation.Key, p protocol.Promised) error {
	w.id, w.started, w.queued = p.ID, p.Started, p.Queued
	if !s.waiting.add(w) {
		s.pending(w)
		return nil
	}
	s.waiting.arm(w, p, s.pending)
	result, err := s.store.Result(ctx, p.ID, store.Leader)
	switch {
	case err == nil && result == nil:
		s.waiting.open(key, p)
	case !s.waiting.remove(w): // it was answered meanwhile
	case err != nil:
		return err
	default:
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
	p, err := s.result(id, waiters[0].key, data)
	if err != nil {
		s.log.Error("a result cannot be read", zap.Stringer("correlation_id", id), zap.Error(err))
		for _, w := range waiters {
			s.pending(w)
		}
		return
	}
	for _, w := range waiters {
		if w.own == scorev1.Cache_MISS {
			s.durations.took(w.key.Product, time.Since(w.started))
		}
		s.tell(w, p)
	}
}

// result is what a result answers. Nearly always the record that it came from is in the cache by then, and answers the same: a score is
// stored before its result is.
func (s *Service) result(id correlation.ID, key correlation.Key, data []byte) (*prepared, error) {
	if entry, ok := s.cache.get(key); ok && entry.ID == id {
		return &entry.answer, nil
	}
	result, err := store.ReadResult(data)
	if err != nil {
		return nil, err
	}
	return prepare(common(result)), nil
}

// common is what a result says to everyone: all but the customer's ID, which is said in the words of the request.
func common(result *scorev1.Answer) *scorev1.Answer {
	result.CustomerId = ""
	return result
}

// tell answers a waiter with a result.
func (s *Service) tell(w *waiter, result *prepared) {
	o := own{customer: w.customer, cache: w.own, ref: w.ref}
	now := time.Now()
	if sc := result.Score; sc != nil {
		o.aged, o.age = true, age(sc.CalculatedAt.AsTime(), now)
		o.expired = w.own == scorev1.Cache_CACHE_UNSPECIFIED && !now.Before(sc.ValidUntil.AsTime())
	}
	give(w.req, result, o)
}

// pending answers a waiter that the calculation goes on.
func (s *Service) pending(w *waiter) {
	state := scorev1.State_RUNNING
	if w.queued {
		state = scorev1.State_QUEUED
	}
	w.req.Answer(&scorev1.Answer{
		CorrelationId: w.id.String(), Status: scorev1.Status_PENDING, State: state, Eta: s.durations.eta(w.key.Product, w.started, time.Now()),
		Product: w.key.Product, CustomerId: w.customer, Cache: w.own, ClientReference: w.ref,
	})
}
