package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
	"github.com/scoreflow/scoreflow/services/gateway"
)

// asks asks once, does not wait, and returns the answer.
func (s *suite) asks(r *scorev1.RequestScoreRequest) *scorev1.Answer {
	s.t.Helper()
	answer, err := s.askOnce(s.t.Context(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}

// waits asks in the background and waits for the end, whatever it is.
func (s *suite) waits(r *scorev1.RequestScoreRequest) <-chan *scorev1.Answer {
	r = proto.CloneOf(r)
	r.Wait = durationpb.New(patience)
	answers := make(chan *scorev1.Answer, 1)
	go func() {
		answer, err := s.ask(context.Background(), r)
		if err != nil {
			s.t.Error(err)
		}
		answers <- answer
	}()
	return answers
}

// ends waits for the end of a calculation.
func (s *suite) ends(id string) *scorev1.Answer {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	answer, err := s.client.Watch(ctx, id)
	if err != nil {
		s.t.Fatalf("%s: %v", id, err)
	}
	return answer
}

func (s *suite) fetches(f *scorev1.FetchScoreRequest) (*scorev1.Answer, *fault.Error) {
	s.t.Helper()
	answer, err := s.client.Fetch(s.t.Context(), f)
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return answer, f
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return answer, nil
}

// calling has calls of the backend wait until they are released; the channel tells of each.
func (s *suite) calling() (called chan call, release func()) {
	called = make(chan call, 100)
	released := make(chan struct{})
	s.backend.answers(func(ctx context.Context, c call) verdict {
		called <- c
		select {
		case <-released:
		case <-ctx.Done():
		}
		return verdict{}
	})
	return called, func() { close(released) }
}

func (s *suite) awaitCall(called <-chan call) call {
	s.t.Helper()
	select {
	case c := <-called:
		return c
	case <-time.After(patience):
		s.t.Fatal("the backend is not called")
		return call{}
	}
}

func wait(d time.Duration) *durationpb.Duration { return durationpb.New(d) }

// Who wants a score that is younger than the running calculation waits for the next one, of which there is one for all.
func TestMaxAgeJoinsTheRunningCalculationOrTheNext(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	called, release := s.calling()
	running := s.asks(&scorev1.RequestScoreRequest{CustomerId: "42"})
	s.awaitCall(called)
	for _, row := range []struct {
		name  string
		ask   *scorev1.RequestScoreRequest
		joins bool
		state scorev1.State
	}{
		{"any score will do", &scorev1.RequestScoreRequest{}, true, scorev1.State_RUNNING},
		{"it began lately enough", &scorev1.RequestScoreRequest{MaxAge: wait(time.Hour)}, true, scorev1.State_RUNNING},
		{"it began too early", &scorev1.RequestScoreRequest{MaxAge: wait(time.Millisecond)}, false, scorev1.State_QUEUED},
		{"it began before the request", &scorev1.RequestScoreRequest{Refresh: true}, false, scorev1.State_QUEUED},
	} {
		row.ask.CustomerId = "42"
		answer := s.asks(row.ask)
		if answer.Status != scorev1.Status_PENDING || answer.State != row.state || (answer.CorrelationId == running.CorrelationId) != row.joins {
			t.Errorf("%s: %v", row.name, answer)
		}
	}
	if len(s.promises()) != 2 || s.backend.all() != 1 {
		t.Errorf("%d calculations, %d calls at once", len(s.promises()), s.backend.all())
	}
	release()
	for id := range s.promises() {
		end := s.ends(id)
		if s.backend.author(end.Score) != id {
			t.Errorf("%s ended with another's score: %v", id, end)
		}
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

func TestProductsAndTenantsAreApart(t *testing.T) {
	t.Parallel()
	var cfg gateway.Config
	s := newSuite(t, func(c *setup) {
		c.gateways = 0
		c.gateway.Products = c.products
		cfg = c.gateway
	})
	seen := map[string]string{}
	for _, tenant := range []string{"north", "south"} {
		cfg.Tenant = tenant
		stop := run(s, "gateway", cfg, gateway.New)
		for _, product := range []string{credit, fraud} {
			answer := <-s.waits(&scorev1.RequestScoreRequest{CustomerId: "42", Product: product})
			if other, ok := seen[answer.GetCorrelationId()]; ok || answer.Status != scorev1.Status_READY || answer.Cache != scorev1.Cache_MISS {
				t.Errorf("%s of %s: %v, as %s", product, tenant, answer, other)
			}
			seen[answer.CorrelationId] = product + " of " + tenant
		}
		stop()
	}
}

// A wait ends in PENDING before the client's own patience does, and the calculation goes on.
func TestAWaitThatIsTooShortEndsInPending(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	called, release := s.calling()
	var reply *nats.Msg
	var err error
	for range 3 { // a machine that does a lot else may be late
		if reply, err = s.nc.Request("score.v1.request", []byte(`{"customer_id":"42","wait":"3s"}`), 3*time.Second); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("the client's timer came first: %v", err)
	}
	var pending struct{ Status, State, ETA string }
	if err := json.Unmarshal(reply.Data, &pending); err != nil || pending.Status != "PENDING" || pending.State != "RUNNING" || pending.ETA == "" {
		t.Errorf("%s: %v", reply.Data, err)
	}
	id := s.awaitCall(called).ID
	release()
	if end := s.ends(id); end.Status != scorev1.Status_READY {
		t.Errorf("%v", end)
	}
	if again := s.asks(&scorev1.RequestScoreRequest{CustomerId: "42"}); again.Cache != scorev1.Cache_HIT || again.CorrelationId != id {
		t.Errorf("%v", again)
	}
}

// Whoever goes away takes nothing along: the others are answered, and the result is there for whoever comes back.
func TestAClientThatIsGoneHarmsNobody(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	called, release := s.calling()
	gone := s.server.Conn()
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := client.New(gone).Request(ctx, &scorev1.RequestScoreRequest{CustomerId: "42", Wait: wait(patience)})
		left <- err
	}()
	id := s.awaitCall(called).ID
	other := s.waits(&scorev1.RequestScoreRequest{CustomerId: "42"})
	s.untilWaiting(2, 1<<20)
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	gone.Close()
	release()
	if answer := <-other; answer.GetStatus() != scorev1.Status_READY || answer.CorrelationId != id {
		t.Errorf("%v", answer)
	}
	if back, err := s.fetches(&scorev1.FetchScoreRequest{CorrelationId: id}); err != nil || back.Status != scorev1.Status_READY {
		t.Errorf("%v, %v", back, err)
	}
}

func TestAnAbortedCalculationIsCancelledForAllAndItsScoreKept(t *testing.T) {
	t.Parallel()
	for _, product := range []string{credit, report} {
		s := newSuite(t, nil)
		called, release := s.calling()
		ask := &scorev1.RequestScoreRequest{CustomerId: "42", Product: product}
		waiters := []<-chan *scorev1.Answer{s.waits(ask), s.waits(ask)}
		id := s.awaitCall(called).ID
		s.untilWaiting(2, 1<<20)
		aborted, err := s.client.Abort(t.Context(), &scorev1.AbortRequest{CorrelationId: id, Reason: "no longer needed"})
		if err != nil || aborted.Status != scorev1.Status_CANCELLED || aborted.Failure.GetMessage() != "no longer needed" {
			t.Fatalf("%v, %v", aborted, err)
		}
		for _, w := range waiters {
			if answer := <-w; answer.GetStatus() != scorev1.Status_CANCELLED || answer.CorrelationId != id {
				t.Errorf("a waiter got %v", answer)
			}
		}
		eventually(t, func() error { // the calculation is released after its result was told
			there, none := s.fetches(&scorev1.FetchScoreRequest{CustomerId: "42", Product: product})
			if none == nil || none.Code != scorev1.Code_NOT_FOUND {
				return fmt.Errorf("%v, %v", there, none)
			}
			return nil
		})
		release() // it was paid for
		eventually(t, func() error {
			got, err := s.client.Fetch(t.Context(), &scorev1.FetchScoreRequest{CustomerId: "42", Product: product})
			if err == nil && (got.CorrelationId != id || s.backend.author(got.Score) != id) {
				t.Errorf("%v", got)
			}
			return err
		})
		if end := s.ends(id); end.Status != scorev1.Status_CANCELLED {
			t.Errorf("the result has changed: %v", end)
		}
		again, err := s.client.Abort(t.Context(), &scorev1.AbortRequest{CorrelationId: id})
		if err != nil || again.Status != scorev1.Status_CANCELLED {
			t.Errorf("%v, %v", again, err)
		}
		s.check(t, func(*scorev1.Answer) int { return 1 })
	}
}

// That there is no score is an answer too: it is kept, for its own time.
func TestNoScoreIsAnAnswerToo(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	for _, outcome := range []scorev1.Outcome{scorev1.Outcome_NO_HIT, scorev1.Outcome_THIN_FILE, scorev1.Outcome_FROZEN_FILE} {
		s.backend.answers(func(_ context.Context, c call) verdict {
			return verdict{report: &scorev1.Report{Result: &scorev1.Report_Score{Score: &scorev1.Score{
				Outcome: outcome, KeyFactors: []*scorev1.KeyFactor{{Code: "E2E", Text: c.ID}},
			}}}}
		})
		ask := &scorev1.RequestScoreRequest{CustomerId: outcome.String()}
		first := <-s.waits(ask)
		sc := first.GetScore()
		if first.GetStatus() != scorev1.Status_READY || sc.GetOutcome() != outcome || sc.Value != nil {
			t.Errorf("%v", first)
		}
		if valid := sc.ValidUntil.AsTime().Sub(sc.CalculatedAt.AsTime()); valid != time.Hour {
			t.Errorf("%v is valid for %v", outcome, valid)
		}
		if second := s.asks(ask); second.Cache != scorev1.Cache_HIT || second.CorrelationId != first.CorrelationId {
			t.Errorf("%v", second)
		}
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

// A failure is told to everyone who waits, and for a little while to those who come; a score that is valid stays.
func TestAFailureIsToldToAllAndRememberedForAWhile(t *testing.T) {
	t.Parallel()
	const memo = 2 * time.Second
	s := newSuite(t, func(c *setup) {
		p := c.products[credit]
		p.FailureMemo = memo
		c.products[credit] = p
	})
	good := <-s.waits(&scorev1.RequestScoreRequest{CustomerId: "has a score"})
	release := make(chan struct{})
	s.backend.answers(func(context.Context, call) verdict {
		<-release
		return verdict{status: http.StatusServiceUnavailable}
	})
	var waiters []<-chan *scorev1.Answer
	for range 3 {
		waiters = append(waiters, s.waits(&scorev1.RequestScoreRequest{CustomerId: "has none"}))
	}
	refreshed := s.waits(&scorev1.RequestScoreRequest{CustomerId: "has a score", Refresh: true})
	s.untilWaiting(4, 1<<20)
	close(release)
	ids := map[string]bool{}
	for _, w := range waiters {
		answer := <-w
		ids[answer.GetCorrelationId()] = true
		if answer.GetFailure().GetCode() != scorev1.Code_BACKEND_UNAVAILABLE || !answer.Failure.Retryable {
			t.Errorf("a waiter got %v", answer)
		}
	}
	failed := time.Now()
	again := s.asks(&scorev1.RequestScoreRequest{CustomerId: "has none"})
	if !ids[again.CorrelationId] || again.Status != scorev1.Status_FAILED || len(ids) != 1 {
		t.Errorf("the next one got %v", again)
	}
	if answer := <-refreshed; answer.GetFailure().GetCode() != scorev1.Code_BACKEND_UNAVAILABLE {
		t.Errorf("%v", answer)
	}
	if kept := s.asks(&scorev1.RequestScoreRequest{CustomerId: "has a score"}); kept.Status != scorev1.Status_READY ||
		!proto.Equal(kept.Score, good.Score) || kept.Cache != scorev1.Cache_HIT {
		t.Errorf("%v, after %v", kept, good)
	}
	s.backend.answers(func(context.Context, call) verdict { return verdict{} })
	eventually(t, func() error {
		answer := s.asks(&scorev1.RequestScoreRequest{CustomerId: "has none"})
		if answer.Status == scorev1.Status_FAILED {
			return errors.New("it is still remembered")
		}
		return nil
	})
	if after := time.Since(failed); after < memo/2-100*time.Millisecond || after > 2*memo {
		t.Errorf("it was remembered for %v", after)
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
	if n := s.backend.all(); n != 4 {
		t.Errorf("%d calls", n)
	}
}

func TestAScoreIsServedWhileItIsValid(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	const validity = 2 * time.Second
	s.backend.answers(func(_ context.Context, c call) verdict {
		short := proto.CloneOf(s.backend.reported(c.ID))
		short.Validity = durationpb.New(validity)
		return verdict{report: short}
	})
	first := <-s.waits(&scorev1.RequestScoreRequest{CustomerId: "42"})
	id, sc := first.CorrelationId, first.Score
	if sc.ValidUntil.AsTime().Sub(sc.CalculatedAt.AsTime()) != validity || first.Age == nil {
		t.Errorf("%v", first)
	}
	hit := s.asks(&scorev1.RequestScoreRequest{CustomerId: "42", MinRemaining: wait(validity / 10)})
	if hit.Cache != scorev1.Cache_HIT || hit.Age.AsDuration() > validity {
		t.Errorf("%v", hit)
	}
	nearlyDead := <-s.waits(&scorev1.RequestScoreRequest{CustomerId: "42", MinRemaining: wait(time.Hour)})
	if nearlyDead.CorrelationId == id || nearlyDead.Cache != scorev1.Cache_MISS {
		t.Errorf("a score that dies soon was served: %v", nearlyDead)
	}
	<-time.After(time.Until(nearlyDead.Score.ValidUntil.AsTime()))
	byID, err := s.fetches(&scorev1.FetchScoreRequest{CorrelationId: id})
	if err != nil || byID.Status != scorev1.Status_READY || !byID.Expired || !proto.Equal(byID.Score, sc) {
		t.Errorf("by correlation ID: %v, %v", byID, err)
	}
	_, err = s.fetches(&scorev1.FetchScoreRequest{CustomerId: "42"})
	if err == nil || err.Code != scorev1.Code_NOT_FOUND || !err.CalculatedAt.Equal(nearlyDead.Score.CalculatedAt.AsTime()) {
		t.Errorf("by customer: %v", err)
	}
	if anew := <-s.waits(&scorev1.RequestScoreRequest{CustomerId: "42"}); anew.Cache != scorev1.Cache_MISS || anew.Status != scorev1.Status_READY {
		t.Errorf("%v", anew)
	}
	if n := s.backend.all(); n != 3 {
		t.Errorf("%d calls", n)
	}
}
