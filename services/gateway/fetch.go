package gateway

import (
	"context"
	"fmt"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/score"
	"github.com/scoreflow/scoreflow/pkg/store"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// fetch answers with what is there, and never starts anything.
func (s *Service) fetch(ctx context.Context, req *bus.Request) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := s.fetchEither(ctx, req); err != nil {
		req.Fail(err)
	}
}

func (s *Service) fetchEither(ctx context.Context, req *bus.Request) error {
	f := &scorev1.FetchScoreRequest{}
	if err := req.Decode(f); err != nil {
		return err
	}
	if err := validateDuration("wait", f.Wait); err != nil {
		return err
	}
	switch {
	case f.CorrelationId != "" && f.CustomerId != "":
		return fault.Invalid("customer_id", "it excludes correlation_id: fetch by one of them")
	case f.CorrelationId != "":
		id, err := correlation.ParseID(f.CorrelationId)
		if err != nil {
			return fault.Invalid("correlation_id", "it is not a correlation ID: that is a UUID of version 8 in lower case")
		}
		return s.fetchResult(ctx, req, f, id)
	case f.CustomerId == "":
		return fault.Invalid("correlation_id", "either it or customer_id is required")
	}
	if err := validateCustomer(f.CustomerId); err != nil {
		return err
	}
	if err := validateProduct(&f.Product, s.cfg.Products); err != nil {
		return err
	}
	return s.fetchCustomer(ctx, req, f)
}

// fetchResult answers with the result of a calculation, or waits for it. Absence is believed from the leaders only, and in this order: a
// calculation goes only after its result is there.
func (s *Service) fetchResult(ctx context.Context, req *bus.Request, f *scorev1.FetchScoreRequest, id correlation.ID) error {
	result, err := s.store.Result(ctx, id, store.Any)
	if err != nil {
		return err
	}
	if result == nil {
		calculation, behind, err := s.store.Find(ctx, id, store.Leader)
		if err != nil {
			return err
		}
		if calculation != nil {
			return s.awaitFetch(ctx, req, f, calculation, behind)
		}
		if result, err = s.store.Result(ctx, id, store.Leader); err != nil {
			return err
		}
	}
	if result == nil {
		return fault.New(scorev1.Code_NOT_FOUND, "no calculation has this correlation ID, or its result is no longer kept")
	}
	w := &waiter{req: req, customer: result.CustomerId}
	s.tell(w, prepare(common(result)))
	return nil
}

// fetchCustomer answers with a customer's valid score, or with the calculation that is in progress.
func (s *Service) fetchCustomer(ctx context.Context, req *bus.Request, f *scorev1.FetchScoreRequest) error {
	key := s.names.Key(s.cfg.Tenant, f.Product, f.CustomerId)
	entry, ok := s.cache.get(key)
	valid := func() bool {
		return entry.Revision >= f.MinRevision && entry.Satisfies(score.Wishes{}, req.Received())
	}
	look := func(from store.From) error {
		record, err := s.store.Record(ctx, key, from)
		entry = s.cache.read(key, record)
		return err
	}
	if !ok || !valid() {
		if err := look(store.Any); err != nil {
			return err
		}
	}
	if !valid() {
		calculation, err := s.store.First(ctx, key, store.Leader)
		if err != nil {
			return err
		}
		if calculation != nil {
			return s.awaitFetch(ctx, req, f, calculation, false)
		}
		if err := look(store.Leader); err != nil { // it may have ended in between
			return err
		}
	}
	if !valid() {
		return notValid(f.Product, entry.Record)
	}
	give(req, &entry.answer, own{customer: f.CustomerId, aged: true, age: age(entry.CalculatedAt, req.Received())})
	return nil
}

func notValid(product string, r store.Record) error {
	e := fault.New(scorev1.Code_NOT_FOUND, "no %s score of this customer is valid, and none is being calculated", product)
	if r.HasScore() {
		e.Message = fmt.Sprintf("the %s score of this customer is no longer valid, and none is being calculated", product)
		e.CalculatedAt = r.CalculatedAt
	}
	return e
}

// awaitFetch has the fetch wait for a calculation that is in progress.
func (s *Service) awaitFetch(ctx context.Context, req *bus.Request, f *scorev1.FetchScoreRequest, c *store.Calculation, behind bool) error {
	wait := min(f.Wait.AsDuration(), s.cfg.MaxWait)
	w := &waiter{req: req, key: c.Key, customer: c.CustomerId, until: req.Received().Add(wait - margin(wait))}
	return s.await(ctx, w, correlation.Key{}, protocol.Promised{ID: c.ID, Started: c.CreatedAt.AsTime(), Queued: behind})
}
