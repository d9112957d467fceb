package e2e

import (
	"context"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func before(subject string) moment   { return moment{subject: subject} }
func after(subject string) moment    { return moment{subject: subject, after: true} }
func received(subject string) moment { return moment{subject: subject, received: true} }

// A crash at any step is healed by redelivery or by the next caller. Whatever happens there is one calculation with one result, for those
// who asked before and after.
func TestCrashes(t *testing.T) {
	for _, row := range []struct {
		name    string
		product string
		of      func(*world) *service // who crashes
		at      moment                // zero = during the call of the backend
		calls   int                   // of the backend
		fails   scorev1.Code          // unspecified = the result is READY
	}{
		{"gateway before the calculation is stored", credit, theGateway, before("score.v1.calculation."), 1, 0},
		{"gateway after the calculation is stored", credit, theGateway, after("score.v1.calculation."), 1, 0},
		{"gateway before the answer", credit, theGateway, before("_INBOX."), 1, 0},

		{"adapter when it gets the work", credit, theAdapter, received("score.v1.calculation."), 1, 0},
		{"adapter before it looks for a score", credit, theAdapter, before("$JS.API.DIRECT.GET.KV_scores"), 1, 0},
		{"adapter during the call", credit, theAdapter, moment{}, 2, 0},
		{"adapter before the completion is stored", credit, theAdapter, before("score.v1.completion."), 2, 0},
		{"adapter after the completion is stored", credit, theAdapter, after("score.v1.completion."), 1, 0},
		{"adapter before the acknowledgement", credit, theAdapter, before("$JS.ACK.CALCULATIONS"), 1, 0},
		{"adapter after the acknowledgement", credit, theAdapter, after("$JS.ACK.CALCULATIONS"), 1, 0},

		{"at most once: adapter before the claim is stored", fraud, theAdapter, before("score.v1.claim."), 1, 0},
		{"at most once: adapter after the claim is stored", fraud, theAdapter, after("score.v1.claim."), 0, scorev1.Code_UNKNOWN_OUTCOME},
		{"at most once: adapter during the call", fraud, theAdapter, moment{}, 1, scorev1.Code_UNKNOWN_OUTCOME},
		{"at most once: adapter before the completion is stored", fraud, theAdapter, before("score.v1.completion."), 1, scorev1.Code_UNKNOWN_OUTCOME},
		{"at most once: adapter after the completion is stored", fraud, theAdapter, after("score.v1.completion."), 1, 0},

		{"call-back: adapter before the timer is stored", report, theAdapter, before("score.v1.timer."), 1, 0},
		{"call-back: adapter after the timer is stored", report, theAdapter, after("score.v1.timer."), 1, 0},
		{"call-back: adapter during the call", report, theAdapter, moment{}, 2, 0},
		{"call-back: adapter before the acknowledgement", report, theAdapter, before("$JS.ACK.CALCULATIONS"), 2, 0},
		{"call-back: adapter after the acknowledgement", report, theAdapter, after("$JS.ACK.CALCULATIONS"), 1, 0},
		{"call-back: adapter before the notification is stored", report, theAdapter, before("score.v1.completion."), 1, 0},
		{"call-back: adapter after the notification is stored", report, theAdapter, after("score.v1.completion."), 1, 0},

		{"correlator when it gets the completion", credit, theCorrelator, received("score.v1.completion."), 1, 0},
		{"correlator before the score is stored", credit, theCorrelator, before("$KV.scores."), 1, 0},
		{"correlator after the score is stored", credit, theCorrelator, after("$KV.scores."), 1, 0},
		{"correlator before the result is stored", credit, theCorrelator, before("score.v1.commit."), 1, 0},
		{"correlator after the result is stored", credit, theCorrelator, after("score.v1.commit."), 1, 0},
		{"correlator before the release", credit, theCorrelator, before("$JS.API.STREAM.MSG.DELETE.CALCULATIONS"), 1, 0},
		{"correlator after the release", credit, theCorrelator, after("$JS.API.STREAM.MSG.DELETE.CALCULATIONS"), 1, 0},
		{"correlator before the acknowledgement", credit, theCorrelator, before("$JS.ACK.COMPLETIONS"), 1, 0},
		{"correlator after the acknowledgement", credit, theCorrelator, after("$JS.ACK.COMPLETIONS"), 1, 0},
		{"call-back: correlator before the timer is removed", report, theCorrelator, before("$JS.API.STREAM.PURGE.TIMERS"), 1, 0},
		{"call-back: correlator after the timer is removed", report, theCorrelator, after("$JS.API.STREAM.PURGE.TIMERS"), 1, 0},
		{"time-out: correlator when it gets the timer", silent, theCorrelator, received("score.v1.timeout."), 1, scorev1.Code_DEADLINE_EXCEEDED},
		{"time-out: correlator before the completion is stored", silent, theCorrelator, before("score.v1.completion."), 1, scorev1.Code_DEADLINE_EXCEEDED},
		{"time-out: correlator after the completion is stored", silent, theCorrelator, after("score.v1.completion."), 1, scorev1.Code_DEADLINE_EXCEEDED},
		{"time-out: correlator before the dead letter is stored", silent, theCorrelator, before("score.v1.dead."), 1, scorev1.Code_DEADLINE_EXCEEDED},
		{"time-out: correlator after the dead letter is stored", silent, theCorrelator, after("score.v1.dead."), 1, scorev1.Code_DEADLINE_EXCEEDED},
		{"time-out: correlator before the acknowledgement of the timer", silent, theCorrelator, before("$JS.ACK.TIMERS"), 1, scorev1.Code_DEADLINE_EXCEEDED},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.begin()
			victim := row.of(w)
			var struck <-chan struct{}
			during := func() {}
			if row.at != (moment{}) {
				struck = victim.crashAt(row.at, victim)
			} else {
				struck, during = once(victim.kill)
			}
			w.backend.answers(func(_ context.Context, c call) verdict {
				during()
				return verdict{silent: row.product == silent || c.nth < row.calls} // who is called again had not notified
			})
			request := &scorev1.RequestScoreRequest{CustomerId: "Erika/Mustermann", Product: row.product, Wait: durationpb.New(patience)}
			answer := w.askDuring(t, request, func() {
				await(t, struck, "the crash")
				victim.restart()
			})
			if answer.Failure.GetCode() != row.fails || (answer.Status == scorev1.Status_READY) != (row.fails == 0) {
				t.Errorf("the answer is %v", answer)
			}
			s, _ := w.check(t, func(*scorev1.Answer) int { return row.calls })
			if n := w.backend.all(); n != row.calls || len(s.results) != 1 || len(w.promises()) != 1 {
				t.Errorf("the backend was called %d times, not %d; %d results, %d promises", n, row.calls, len(s.results), len(w.promises()))
			}
			if err := w.discreet(request.CustomerId); err != nil {
				t.Error(err)
			}
		})
	}
}

func theGateway(w *world) *service    { return w.gateway }
func theAdapter(w *world) *service    { return w.adapter }
func theCorrelator(w *world) *service { return w.correlator }

// once makes something happen the first time only; the channel is closed when it has happened.
func once(happen func()) (<-chan struct{}, func()) {
	happened := make(chan struct{})
	return happened, sync.OnceFunc(func() {
		happen()
		close(happened)
	})
}

// askDuring waits for an answer while something happens, asks again when it has happened, also without waiting, and returns what it was told.
func (w *world) askDuring(t *testing.T, request *scorev1.RequestScoreRequest, happen func()) *scorev1.Answer {
	t.Helper()
	first := make(chan *scorev1.Answer, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		answer, _ := w.ask(ctx, request)
		first <- answer
	}()
	happen()
	now := proto.CloneOf(request)
	now.Wait = nil
	if _, err := w.ask(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	answer, err := w.ask(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if f := <-first; f.GetCorrelationId() != answer.CorrelationId || f.GetStatus() != answer.Status {
		t.Errorf("one was told %v, the other %v", f, answer)
	}
	return answer
}

func await(t testing.TB, happened <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-happened:
	case <-time.After(patience):
		t.Fatalf("%s did not happen within %v", what, patience)
	}
}
