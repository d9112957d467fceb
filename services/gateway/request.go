package gateway

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/score"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/trace"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// quick answers what is wrong or cached, without waiting for anything, and has wait what can join others who wait.
func (s *Service) quick(req *bus.Request) bool {
	a, err := s.read(req)
	if err != nil {
		req.Fail(err)
		return true
	}
	entry, ok := s.cache.get(a.key)
	if !ok || score.Decide(entry.Record.Record, a.wishes, req.Received()) != score.Ready {
		req.Keep(a)
		return !a.OnlyIfCached && s.waiting.join(s.waiter(a, scorev1.Cache_JOINED), a.key, a.wishes, req.Received(), s.pending)
	}
	s.serve(a, entry)
	return true
}

// ask is a request under way.
type ask struct {
	scorev1.RequestScoreRequest
	req    *bus.Request
	key    correlation.Key
	wishes score.Wishes
	looks  int     // at the record
	seen   *cached // the record seen last
	waits  *waiter // it waits for the calculation that it is about to start
}

// read reads and checks a request.
func (s *Service) read(req *bus.Request) (*ask, error) {
	a := &ask{req: req}
	if err := req.Decode(&a.RequestScoreRequest); err != nil {
		return nil, err
	}
	if err := validateRequest(&a.RequestScoreRequest, s.cfg.Products); err != nil {
		return nil, err
	}
	a.key = s.names.Key(s.cfg.Tenant, a.Product, a.CustomerId)
	a.wishes = score.Wishes{MaxAge: a.MaxAge.AsDuration(), MinRemaining: a.MinRemaining.AsDuration(), Refresh: a.Refresh}
	return a, nil
}

// rounds is how often a request may find that everything changed between two of its steps.
const rounds = 32

// request answers what the cache could not: it takes a Caller of the protocol through its steps.
func (s *Service) request(ctx context.Context, req *bus.Request) {
	a := req.Kept().(*ask)
	req.Keep(nil) // a request that waits for long needs no more than its waiter
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	id := correlation.NewID(a.key, req.Received())
	caller := protocol.NewCaller(id, a.wishes, a.OnlyIfCached, req.Received())
	for range rounds * int(protocol.Promise) {
		done, err := s.step(ctx, a, id, &caller)
		if err != nil {
			if s.forget(a) {
				req.Fail(fmt.Errorf("request of product %s: %w", a.Product, err))
			}
			return
		}
		if done {
			return
		}
	}
	if s.forget(a) {
		req.Fail(&fault.Error{Code: scorev1.Code_OVERLOADED, Message: "too much happens to this customer's score at once", RetryAfter: time.Second})
	}
}

// step does one step of the caller; done says that the request is answered, or waits.
func (s *Service) step(ctx context.Context, a *ask, id correlation.ID, c *protocol.Caller) (done bool, err error) {
	switch c.Step() {
	case protocol.LookAtScore:
		err = s.look(ctx, a)
		if err == nil {
			c.SawScore(a.seen.Record.Record)
		}
	case protocol.Start:
		s.expect(a, id)
		var stored bool
		stored, err = s.store.Start(ctx, a.key, s.calculation(a, id, false))
		c.Started(stored)
	case protocol.ReadFirst, protocol.ReadFirstNow:
		from := a.from()
		if c.Step() == protocol.ReadFirstNow {
			from = store.Leader
		}
		var first *store.Calculation
		first, err = s.store.First(ctx, a.key, from)
		if c.Step() == protocol.ReadFirst {
			c.SawFirst(first.Core())
		} else {
			c.SawFirstNow(first.Core())
		}
	case protocol.Queue:
		var stored bool
		stored, err = s.store.Queue(ctx, a.key, s.calculation(a, id, true))
		c.Queued(stored)
	case protocol.ReadLast:
		var last *store.Calculation
		last, err = s.store.Last(ctx, a.key)
		c.SawLast(last.Core())
	case protocol.Serve:
		if s.forget(a) {
			s.serve(a, a.seen)
		}
		return true, nil
	case protocol.ServeFailure:
		if s.forget(a) {
			s.serveFailure(a)
		}
		return true, nil
	case protocol.Refuse:
		return false, fault.New(scorev1.Code_NOT_CACHED, "no score satisfies the request, and only_if_cached forbids to calculate one")
	case protocol.Promise:
		return true, s.promised(ctx, a, c.Promised())
	}
	return false, err
}

// look sees the record: the first time a cached one will do.
func (s *Service) look(ctx context.Context, a *ask) error {
	a.looks++
	if entry, ok := s.cache.get(a.key); ok && a.looks == 1 {
		a.seen = entry
		return nil
	}
	record, err := s.store.Record(ctx, a.key, a.from())
	if err != nil {
		return err
	}
	a.seen = s.cache.read(a.key, record)
	return nil
}

// calculation is what the request starts.
func (s *Service) calculation(a *ask, id correlation.ID, queued bool) *scorev1.Calculation {
	took := s.cfg.Products[a.Product].Deadline
	if queued { // the one before it may take as long
		took *= 2
	}
	traced := trace.FromHeader(a.req.Header())
	return &scorev1.Calculation{
		CorrelationId: id.String(), Product: a.Product, CustomerId: a.CustomerId, Attributes: a.Attributes,
		CreatedAt: timestamppb.New(a.req.Received()), Deadline: timestamppb.New(a.req.Received().Add(took)),
		MaxAge: a.MaxAge, MinRemaining: a.MinRemaining, NeverReuse: queued || a.Refresh, Queued: queued,
		Traceparent: traced.Parent, Tracestate: traced.State,
	}
}

// expect begins to listen for the result of the calculation that the request is about to start, if it wants to wait: then the result cannot
// come before somebody listens, and need not be looked for.
func (s *Service) expect(a *ask, id correlation.ID) {
	if a.waits != nil {
		return
	}
	w := s.waiter(a, scorev1.Cache_MISS)
	w.id = id
	if s.waiting.add(w) {
		a.waits = w
	}
}

// forget stops to listen; false when the result came and answered the request.
func (s *Service) forget(a *ask) bool {
	if a.waits == nil {
		return true
	}
	w := a.waits
	a.waits = nil
	return s.waiting.remove(w)
}

// waiter is the request as one that waits.
func (s *Service) waiter(a *ask, how scorev1.Cache) *waiter {
	wait := min(a.Wait.AsDuration(), s.cfg.MaxWait)
	return &waiter{
		req: a.req, key: a.key, customer: a.CustomerId, own: how, ref: a.ClientReference,
		until: a.req.Received().Add(wait - margin(wait)),
	}
}

// promised answers with the calculation, or waits for it.
func (s *Service) promised(ctx context.Context, a *ask, p protocol.Promised) error {
	if a.waits != nil && a.waits.id == p.ID {
		s.waiting.arm(a.waits, p, s.pending)
		s.waiting.open(a.open(), p)
		return nil
	}
	if !s.forget(a) {
		return nil
	}
	how := scorev1.Cache_MISS
	if p.Joined {
		how = scorev1.Cache_JOINED
	}
	return s.await(ctx, s.waiter(a, how), a.open(), p)
}

// from is who is asked: any replica, until things have changed between two steps; then a replica that is behind would only show that again.
func (a *ask) from() store.From {
	if a.looks > 1 {
		return store.Leader
	}
	return store.Any
}

// open is the key whose calculation others may join without a look at the score: only when there was none that would do for everybody.
func (a *ask) open() correlation.Key {
	if a.wishes != (score.Wishes{}) {
		return correlation.Key{}
	}
	return a.key
}

// serve answers with a score.
func (s *Service) serve(a *ask, entry *cached) {
	give(a.req, &entry.answer, own{
		customer: a.CustomerId, cache: scorev1.Cache_HIT, aged: true, age: age(entry.CalculatedAt, a.req.Received()), ref: a.ClientReference,
	})
}

// serveFailure answers with the failure of the last calculation.
func (s *Service) serveFailure(a *ask) {
	a.req.Answer(&scorev1.Answer{
		CorrelationId: a.seen.Doc.FailedCorrelationId, Status: scorev1.Status_FAILED, Product: a.Product, CustomerId: a.CustomerId,
		Cache: scorev1.Cache_HIT, Failure: a.seen.Doc.Failure, ClientReference: a.ClientReference,
	})
}
