package e2e

import (
	"context"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/types/known/durationpb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// One of two instances dies and stays dead; the other takes over.
func TestAnotherInstanceTakesOver(t *testing.T) {
	for _, row := range []struct {
		name    string
		product string
		at      moment // zero = during the call of the backend
		pair    func(*world) [2]*service
		calls   int // of the backend, at most
		fails   scorev1.Code
	}{
		{"gateway", credit, after("score.v1.calculation."), gateways, 1, 0},
		{"adapter that gets the work", credit, received("score.v1.calculation."), adapters, 1, 0},
		{"adapter that has called", credit, before("score.v1.completion."), adapters, 2, 0},
		{"adapter that has claimed", fraud, after("score.v1.claim."), adapters, 0, scorev1.Code_UNKNOWN_OUTCOME},
		{"adapter that has called at most once", fraud, before("score.v1.completion."), adapters, 1, scorev1.Code_UNKNOWN_OUTCOME},
		{"adapter that has stored the timer", report, after("score.v1.timer."), adapters, 1, 0},
		{"adapter that has handed over", report, before("$JS.ACK.CALCULATIONS"), adapters, 2, 0},
		{"correlator that gets the completion", credit, received("score.v1.completion."), correlators, 1, 0},
		{"correlator that has stored the score", credit, after("$KV.scores."), correlators, 1, 0},
		{"correlator that has stored the result", credit, after("score.v1.commit."), correlators, 1, 0},
		{"correlator that has released", report, after("$JS.API.STREAM.MSG.DELETE.CALCULATIONS"), correlators, 1, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			pair := row.pair(w)
			w.begin()
			one, other := pair[0].crashAt(row.at, pair[0]), pair[1].crashAt(row.at, pair[1])
			var calls atomic.Int64
			w.backend.answers(func(context.Context, call) verdict {
				return verdict{silent: int(calls.Add(1)) < row.calls}
			})
			request := &scorev1.RequestScoreRequest{CustomerId: "Erika/Mustermann", Product: row.product, Wait: durationpb.New(patience)}
			answer := w.askDuring(t, request, func() {
				select {
				case <-one:
					pair[1].proxy.arm(nil)
				case <-other:
					pair[0].proxy.arm(nil)
				}
			})
			if answer.Failure.GetCode() != row.fails || (answer.Status == scorev1.Status_READY) != (row.fails == 0) {
				t.Errorf("the answer is %v", answer)
			}
			s, _ := w.check(t, func(*scorev1.Answer) int { return row.calls })
			if len(s.results) != 1 {
				t.Errorf("there are %d results", len(s.results))
			}
		})
	}
}

func gateways(w *world) [2]*service { return [2]*service{w.gateway, w.addGateway("another gateway")} }

func adapters(w *world) [2]*service { return [2]*service{w.adapter, w.addAdapter("another adapter")} }

func correlators(w *world) [2]*service {
	return [2]*service{w.correlator, w.addCorrelator("another correlator")}
}
