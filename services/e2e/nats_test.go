package e2e

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// NATS is killed in the middle of a calculation and comes back with its files. Nobody else is started again.
func TestNATSCrashes(t *testing.T) {
	for _, row := range []struct {
		name    string
		product string
		at      func(*world, moment) <-chan struct{}
		moment  moment
		calls   int // of the backend, at most
	}{
		{"before a calculation is stored", credit, atTheGateway, before("score.v1.calculation."), 1},
		{"after a calculation is stored", credit, atTheGateway, after("score.v1.calculation."), 2},
		{"when the work is handed out", credit, atTheAdapter, received("score.v1.calculation."), 1},
		{"during the call", credit, nil, moment{}, 2},
		{"before a completion is stored", credit, atTheAdapter, before("score.v1.completion."), 2},
		{"after a completion is stored", credit, atTheAdapter, after("score.v1.completion."), 2},
		{"before the work is acknowledged", credit, atTheAdapter, before("$JS.ACK.CALCULATIONS"), 1},
		{"after the work is acknowledged", credit, atTheAdapter, after("$JS.ACK.CALCULATIONS"), 1},
		{"at most once: before the claim is stored", fraud, atTheAdapter, before("score.v1.claim."), 1},
		{"at most once: after the claim is stored", fraud, atTheAdapter, after("score.v1.claim."), 1},
		{"at most once: during the call", fraud, nil, moment{}, 1},
		{"at most once: before the completion is stored", fraud, atTheAdapter, before("score.v1.completion."), 1},
		{"call-back: before the timer is stored", report, atTheAdapter, before("score.v1.timer."), 1},
		{"call-back: after the timer is stored", report, atTheAdapter, after("score.v1.timer."), 2},
		{"call-back: during the call", report, nil, moment{}, 2},
		{"call-back: before the notification is stored", report, atTheAdapter, before("score.v1.completion."), 2},
		{"call-back: after the notification is stored", report, atTheAdapter, after("score.v1.completion."), 2},
		{"before the score is stored", credit, atTheCorrelator, before("$KV.scores."), 1},
		{"after the score is stored", credit, atTheCorrelator, after("$KV.scores."), 1},
		{"before the result is stored", credit, atTheCorrelator, before("score.v1.commit."), 1},
		{"after the result is stored", credit, atTheCorrelator, after("score.v1.commit."), 1},
		{"before the release", credit, atTheCorrelator, before("$JS.API.STREAM.MSG.DELETE.CALCULATIONS"), 1},
		{"after the release", credit, atTheCorrelator, after("$JS.API.STREAM.MSG.DELETE.CALCULATIONS"), 1},
		{"before the completion is acknowledged", credit, atTheCorrelator, before("$JS.ACK.COMPLETIONS"), 1},
		{"after the completion is acknowledged", credit, atTheCorrelator, after("$JS.ACK.COMPLETIONS"), 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.begin()
			var struck <-chan struct{}
			if row.at != nil {
				struck = row.at(w, row.moment)
			} else {
				var during func()
				struck, during = once(w.nats.kill)
				w.backend.answers(func(context.Context, call) verdict {
					during()
					return verdict{}
				})
			}
			request := &scorev1.RequestScoreRequest{CustomerId: "Erika/Mustermann", Product: row.product, Wait: durationpb.New(patience)}
			answer := w.askDuring(t, request, func() {
				await(t, struck, "the crash")
				w.nats.restart()
			})
			if answer.Status != scorev1.Status_READY {
				t.Errorf("the answer is %v", answer)
			}
			s, _ := w.check(t, func(*scorev1.Answer) int { return row.calls })
			if len(s.results) != 1 {
				t.Errorf("there are %d results", len(s.results))
			}
		})
	}
}

func atTheGateway(w *world, m moment) <-chan struct{}    { return w.gateway.crashAt(m, w.nats) }
func atTheAdapter(w *world, m moment) <-chan struct{}    { return w.adapter.crashAt(m, w.nats) }
func atTheCorrelator(w *world, m moment) <-chan struct{} { return w.correlator.crashAt(m, w.nats) }

// awhile is longer than anybody's work is left alone without a sign of life, and than a claim is honoured without one.
const awhile = 3 * time.Second

// NATS is away for so long that all work is handed out again when it is back, though its first worker is alive.
func TestNATSIsAwayDuringTheCall(t *testing.T) {
	for _, row := range []struct {
		name    string
		product string
		after   bool // the backend answers after NATS is back; else while it is away
		calls   int  // of the backend, at most
	}{
		{"the answer comes meanwhile", credit, false, 2},
		{"the answer comes afterwards", credit, true, 2},
		{"at most once: the answer comes meanwhile", fraud, false, 1},
		{"at most once: the answer comes afterwards", fraud, true, 1},
		{"call-back: the notification comes meanwhile", report, false, 2},
		{"call-back: the answer comes afterwards", report, true, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.begin()
			away, leave := once(w.nats.kill)
			release := make(chan struct{})
			w.backend.answers(func(context.Context, call) verdict {
				leave()
				if row.after {
					<-release
				}
				return verdict{}
			})
			request := &scorev1.RequestScoreRequest{CustomerId: "Erika/Mustermann", Product: row.product, Wait: durationpb.New(patience)}
			answer := w.askDuring(t, request, func() {
				await(t, away, "the crash")
				<-time.After(awhile)
				w.nats.restart()
				time.AfterFunc(2*awhile, func() { close(release) }) // when the work was handed out again
			})
			if answer.Status != scorev1.Status_READY {
				t.Errorf("the answer is %v", answer)
			}
			w.check(t, func(*scorev1.Answer) int { return row.calls })
		})
	}
}

// The services are started before NATS is, and wait for it.
func TestNATSComesLast(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, s := range w.services[1:] {
		s.launch()
	}
	<-time.After(awhile)
	w.nats.restart()
	for _, product := range []string{credit, fraud, report} {
		answer, err := w.ask(t.Context(), &scorev1.RequestScoreRequest{CustomerId: "42", Product: product, Wait: durationpb.New(patience)})
		if err != nil || answer.Status != scorev1.Status_READY {
			t.Errorf("%s: %v, %v", product, answer, err)
		}
	}
	w.check(t, func(*scorev1.Answer) int { return 1 })
}

// NATS is killed while a service starts. The service waits for it, instead of ending.
func TestNATSIsKilledWhileAServiceStarts(t *testing.T) {
	for _, row := range []struct {
		name   string
		of     func(*world) *service
		moment moment
	}{
		{"gateway before the stores are seen to", theGateway, before("$JS.API.STREAM.CREATE.")},
		{"gateway before it watches the scores", theGateway, before("$JS.API.CONSUMER.CREATE.KV_")},
		{"gateway after it watches the results", theGateway, after("$JS.API.CONSUMER.CREATE.RESULTS")},
		{"correlator before it takes completions", theCorrelator, before("$JS.API.CONSUMER.CREATE.COMPLETIONS")},
		{"correlator after it takes completions", theCorrelator, after("$JS.API.CONSUMER.CREATE.COMPLETIONS")},
		{"adapter before it takes calculations", theAdapter, before("$JS.API.CONSUMER.CREATE.CALCULATIONS")},
		{"adapter after it takes calculations", theAdapter, after("$JS.API.CONSUMER.CREATE.CALCULATIONS")},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.nats.restart()
			starting := row.of(w)
			struck := starting.crashAt(row.moment, w.nats)
			p := starting.launch()
			await(t, struck, "the crash")
			w.nats.restart()
			if err := p.awaitReady(); err != nil {
				t.Fatal(err)
			}
			for _, s := range []*service{w.gateway, w.correlator, w.adapter} {
				if s != starting {
					s.restart()
				}
			}
			answer, err := w.ask(t.Context(), &scorev1.RequestScoreRequest{CustomerId: "42", Wait: durationpb.New(patience)})
			if err != nil || answer.Status != scorev1.Status_READY {
				t.Errorf("%v, %v", answer, err)
			}
		})
	}
}
