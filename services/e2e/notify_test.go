package e2e

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
	"github.com/scoreflow/scoreflow/services/correlator"
)

// notifies notifies of a calculation and wants it to be accepted.
func (s *suite) notifies(c callback, report *scorev1.Report) {
	s.t.Helper()
	if status, err := s.backend.notify(s.t.Context(), c.id(), report); err != nil || status != http.StatusOK {
		s.t.Fatalf("the notification of %s: %d, %v", c.id(), status, err)
	}
}

// buried wants there to be so many dead letters of a calculation.
func (s *suite) buried(c callback, want int) {
	s.t.Helper()
	if letters := s.quiet(s.t).letters[c.id()]; len(letters) != want {
		s.t.Errorf("%d dead letters, not %d: %q", len(letters), want, letters)
	}
}

// What is notified after the deadline was paid for: it is kept as the customer's score, and the result stays as it was.
func TestALateNotificationIsKeptAndChangesNoResult(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	late := s.handedOver(silent, "42")
	if end := s.ends(late.id()); end.Failure.GetCode() != scorev1.Code_DEADLINE_EXCEEDED {
		t.Fatalf("%v", end)
	}
	s.quiet(t)
	s.notifies(late, s.backend.reported(late.id()))
	eventually(t, func() error {
		got, err := s.client.Fetch(t.Context(), &scorev1.FetchScoreRequest{CustomerId: "42", Product: silent})
		if err == nil && (got.CorrelationId != late.id() || s.backend.author(got.Score) != late.id()) {
			t.Errorf("%v", got)
		}
		return err
	})
	s.backend.answers(func(context.Context, call) verdict { return verdict{} })
	newer := <-s.waits(&scorev1.RequestScoreRequest{CustomerId: "42", Product: silent, Refresh: true})
	s.notifies(late, s.backend.reported(late.id())) // again: it is older now
	stores := s.quiet(t)
	record := stores.records[s.names.Key("default", silent, "42")]
	if newer.Status != scorev1.Status_READY || record.Doc.CorrelationId != newer.CorrelationId || !proto.Equal(record.Doc.Score, newer.Score) {
		t.Errorf("the newer score %v was replaced by %v", newer, record.Doc)
	}
	if end := stores.results[late.id()]; end.Failure.GetCode() != scorev1.Code_DEADLINE_EXCEEDED {
		t.Errorf("the result has changed: %v", end)
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

// An older calculation that is late does not replace a newer score.
func TestALateNotificationDoesNotReplaceANewerScore(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	late := s.handedOver(silent, "42")
	s.ends(late.id())
	s.backend.answers(func(context.Context, call) verdict { return verdict{} })
	newer := <-s.waits(&scorev1.RequestScoreRequest{CustomerId: "42", Product: silent, Refresh: true})
	s.notifies(late, s.backend.reported(late.id()))
	record := s.quiet(t).records[s.names.Key("default", silent, "42")]
	if record.Doc.CorrelationId != newer.CorrelationId {
		t.Errorf("%v was replaced by %v", newer, record.Doc)
	}
}

// The first notification counts; the same once more is nothing new, and another one is kept for a person to look at.
func TestTheFirstNotificationCounts(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	c := s.handedOver(report, "42")
	first, other := s.backend.reported(c.id()), scored(c.id()+" otherwise")
	s.notifies(c, first)
	s.notifies(c, first)
	end := s.ends(c.id())
	s.notifies(c, first)
	s.buried(c, 0)
	s.notifies(c, other)
	s.notifies(c, other)
	s.buried(c, 1)
	if after, err := s.fetches(&scorev1.FetchScoreRequest{CorrelationId: c.id()}); err != nil || !proto.Equal(after.Score, end.Score) ||
		s.backend.author(end.Score) != c.id() || end.Score.GetKeyFactors()[0].GetText() != c.id() {
		t.Errorf("%v, %v; at first %v", after, err, end)
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

// The same when the second comes before the first is settled.
func TestTheFirstNotificationCountsWhileItIsNotSettled(t *testing.T) {
	t.Parallel()
	var settler correlator.Config
	s := newSuite(t, func(c *setup) {
		c.correlators = 0
		settler = c.correlator
		settler.Products = c.products
	})
	c := s.handedOver(report, "42")
	first, other := s.backend.reported(c.id()), scored(c.id()+" otherwise")
	s.notifies(c, first)
	again, err := s.client.Notify(t.Context(), &scorev1.NotifyRequest{CorrelationId: c.id(), Token: c.Token, Report: first})
	if err != nil || !again.Duplicate {
		t.Errorf("%v, %v", again, err)
	}
	s.notifies(c, other)
	run(s, "correlator", settler, correlator.New)
	if end := s.ends(c.id()); end.Score.GetKeyFactors()[0].GetText() != c.id() {
		t.Errorf("%v", end)
	}
	s.buried(c, 1)
}

// The backend is faster with its notification than with its answer to the call.
func TestANotificationBeforeTheCallReturns(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	s.backend.answers(func(ctx context.Context, c call) verdict {
		status, err := s.backend.notify(ctx, c.ID, s.backend.reported(c.ID))
		if err != nil || status != http.StatusOK {
			t.Errorf("%d, %v", status, err)
		}
		return verdict{silent: true}
	})
	if answer := <-s.waits(&scorev1.RequestScoreRequest{CustomerId: "42", Product: report}); answer.GetStatus() != scorev1.Status_READY {
		t.Errorf("%v", answer)
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

// Nobody knows the calculation any more: its report is kept for a while in case that it turns up, and then for a person.
func TestANotificationOfAnUnknownCalculationIsParkedAndBuried(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	c := s.handedOver(report, "42")
	calculations, err := s.js.Stream(t.Context(), subject.Calculations)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error { // the adapter has let go of it
		info, err := calculations.Consumer(t.Context(), subject.AdapterConsumer(report))
		if err == nil && info.CachedInfo().NumAckPending > 0 {
			err = errors.New("the adapter holds it")
		}
		return err
	})
	if err := calculations.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.notifies(c, s.backend.reported(c.id()))
	s.buriedWithoutTimer(c)
	if _, none := s.fetches(&scorev1.FetchScoreRequest{CorrelationId: c.id()}); none == nil || none.Code != scorev1.Code_NOT_FOUND {
		t.Errorf("%v", none)
	}
}

// buriedWithoutTimer wants a dead letter of a calculation whose timer is left over.
func (s *suite) buriedWithoutTimer(c callback) {
	s.t.Helper()
	dead, err := s.js.Stream(s.t.Context(), subject.DeadLetters)
	if err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, func() error {
		msg, err := dead.GetLastMsgForSubject(s.t.Context(), "score.v1.dead."+report+"."+c.id())
		if err == nil && !strings.Contains(msg.Header.Get("Reason"), "unknown") {
			s.t.Errorf("buried: %v", msg.Header)
		}
		return err
	})
}

// Work that is handed out again while its first worker lives is left to that one, where the call must not be repeated.
func TestRedeliveredWorkIsLeftToItsFirstWorker(t *testing.T) {
	t.Parallel()
	s := newSuite(t, func(c *setup) { c.adapters, c.adapter.AckWait = 2, 3*time.Second })
	called, release := s.calling()
	alive := make(chan *nats.Msg, 100)
	if _, err := s.nc.ChanSubscribe("$JS.ACK."+subject.Calculations+".>", alive); err != nil {
		t.Fatal(err)
	}
	claims := make(chan *nats.Msg, 100)
	if _, err := s.nc.ChanSubscribe(subject.AllClaims, claims); err != nil {
		t.Fatal(err)
	}
	waiter := s.waits(&scorev1.RequestScoreRequest{CustomerId: "42", Product: fraud})
	id := s.awaitCall(called).ID
	sign := <-alive // that the worker lives; a refusal in its name has the work handed out again
	if err := s.nc.Publish(sign.Subject, []byte("-NAK")); err != nil {
		t.Fatal(err)
	}
	first := string((<-claims).Data)
	for second := range claims { // it has tried to claim, and must have seen that the claim is another's
		if string(second.Data) != first {
			break
		}
	}
	<-alive // put back
	release()
	if answer := <-waiter; answer.GetStatus() != scorev1.Status_READY || answer.CorrelationId != id {
		t.Errorf("%v", answer)
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

// A calculation whose product is no longer configured ends too.
func TestACalculationOfAProductThatIsNoMoreEnds(t *testing.T) {
	t.Parallel()
	s := newSuite(t, func(c *setup) {
		for name, p := range c.products {
			p.Deadline = 2 * time.Second
			c.products[name] = p
		}
	})
	key := s.names.Key("default", "gone", "42")
	id := correlation.NewID(key, time.Now())
	data, err := proto.Marshal(&scorev1.Calculation{
		CorrelationId: id.String(), Product: "gone", CustomerId: "42", CreatedAt: timestamppb.Now(), Deadline: timestamppb.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.js.Publish(t.Context(), subject.Calculation(key), data); err != nil {
		t.Fatal(err)
	}
	if end := s.ends(id.String()); end.Failure.GetCode() != scorev1.Code_DEADLINE_EXCEEDED {
		t.Errorf("%v", end)
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}
