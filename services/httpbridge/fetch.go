package httpbridge

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// status tells how it is about a request: pending, or where its result is.
func (s *Service) status(w http.ResponseWriter, r *http.Request) error {
	a, err := s.fetchOrWait(w, r)
	if err != nil {
		return err
	}
	if a.Status == scorev1.Status_PENDING {
		give(w, http.StatusOK, a)
		return nil
	}
	w.Header().Set("Location", s.path(requestsPath+a.CorrelationId+"/result"))
	give(w, http.StatusSeeOther, a)
	return nil
}

// result gives the result of a request.
func (s *Service) result(w http.ResponseWriter, r *http.Request) error {
	a, err := s.fetchOrWait(w, r)
	if err != nil {
		return err
	}
	if a.Status == scorev1.Status_PENDING {
		s.promise(w, r, a)
		return nil
	}
	giveUnlessKnown(w, r, a)
	return nil
}

// fetchOrWait fetches by correlation ID; while the calculation is in progress it waits, if that is preferred.
func (s *Service) fetchOrWait(w http.ResponseWriter, r *http.Request) (*scorev1.Answer, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	waiter := s.recent.wait(id) // before it looks, so that nothing is missed
	defer s.recent.forget(waiter)
	a, err := s.look(r, id)
	if err != nil {
		return nil, s.gone(id, err)
	}
	prefer := parsePrefer(r.Header["Prefer"])
	if prefer.wait == nil {
		return a, nil
	}
	wait := min(*prefer.wait, s.cfg.MaxWait)
	if a.Status == scorev1.Status_PENDING && wait > 0 {
		if a, err = s.await(w, r, a, wait); err != nil {
			return nil, err
		}
	}
	applied(w.Header(), preferences{wait: prefer.wait}, false, wait)
	return a, nil
}

// look asks how it is about a calculation. When thousands come at once, as after a restart of their bridge, they take turns here, for a
// gateway refuses what is too much at once.
func (s *Service) look(r *http.Request, id correlation.ID) (*scorev1.Answer, error) {
	ctx := s.link.question(r)
	if err := s.turn(ctx, r); err != nil {
		return nil, err
	}
	defer func() { <-s.looks }()
	return s.client.Fetch(ctx, &scorev1.FetchScoreRequest{CorrelationId: id.String()})
}

// turn waits for room among the looks. It comes soon, unless the gateways are slow; then it is better to come again than to wait here.
func (s *Service) turn(ctx context.Context, r *http.Request) error {
	select {
	case s.looks <- struct{}{}:
		return nil
	default:
	}
	late := time.NewTimer(turnWithin)
	defer late.Stop()
	select {
	case s.looks <- struct{}{}:
		return nil
	case <-late.C:
		return fault.New(scorev1.Code_OVERLOADED, "too many ask for calculations at once")
	case <-r.Context().Done():
		return r.Context().Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// gone tells of what is not found whether it may have been there: the ID says when it was made.
func (s *Service) gone(id correlation.ID, err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if kept := s.results.Kept(); ok && f.Code == scorev1.Code_NOT_FOUND && kept > 0 && time.Since(id.Time()) > kept {
		return fault.New(scorev1.Code_GONE, "results are kept for %v; this one, if there was one, is no longer", kept)
	}
	return err
}

// lookup gives a customer's score, without having the customer's ID in a URL.
func (s *Service) lookup(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	in := &scorev1.FetchScoreRequest{}
	if err := wire.JSON.Unmarshal(body, in); err != nil {
		return err
	}
	switch {
	case in.CorrelationId != "":
		return fault.Invalid("correlation_id", "what it names is at %s<correlation_id>", requestsPath)
	case in.CustomerId == "":
		return fault.Invalid("customer_id", "it is required")
	case in.Wait != nil:
		return fault.Invalid("wait", "say it as a header: Prefer: wait=10")
	}
	return s.lookUp(w, r, in)
}

// customer gives a customer's score by URL.
func (s *Service) customer(w http.ResponseWriter, r *http.Request) error {
	return s.lookUp(w, r, &scorev1.FetchScoreRequest{CustomerId: r.PathValue("customer_id"), Product: r.PathValue("product")})
}

func (s *Service) lookUp(w http.ResponseWriter, r *http.Request, in *scorev1.FetchScoreRequest) error {
	a, err := s.client.Fetch(s.link.question(r), in)
	if err != nil {
		return err
	}
	if prefer := parsePrefer(r.Header["Prefer"]); prefer.wait != nil {
		wait := min(*prefer.wait, s.cfg.MaxWait)
		if a.Status == scorev1.Status_PENDING && wait > 0 {
			if a, err = s.await(w, r, a, wait); err != nil {
				return err
			}
		}
		applied(w.Header(), preferences{wait: prefer.wait}, false, wait)
	}
	if a.Status == scorev1.Status_PENDING {
		s.promise(w, r, a)
		return nil
	}
	giveUnlessKnown(w, r, a)
	return nil
}

// giveUnlessKnown gives a result, unless the client says that it has it.
func giveUnlessKnown(w http.ResponseWriter, r *http.Request, a *scorev1.Answer) {
	known := r.Header["If-None-Match"]
	if (r.Method == http.MethodGet || r.Method == http.MethodHead) && len(known) > 0 && matches(known, etag(a)) {
		describe(w.Header(), a)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	give(w, http.StatusOK, a)
}
