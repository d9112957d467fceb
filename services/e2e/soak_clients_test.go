package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// asks asks for the scores of a few customers, until ctx ends.
func (s *soak) asks(ctx context.Context, r *rand.Rand) {
	for pause(ctx, r, 50*time.Millisecond) {
		request := &scorev1.RequestScoreRequest{
			CustomerId: fmt.Sprintf("customer %d", r.IntN(100)),
			Product:    []string{credit, credit, credit, fraud, report, report, silent}[r.IntN(7)],
			Refresh:    r.IntN(3) == 0,
		}
		if r.IntN(2) == 0 {
			request.Wait = durationpb.New(time.Duration(r.IntN(3000)) * time.Millisecond)
		}
		if !request.Refresh && r.IntN(4) == 0 {
			request.MaxAge = durationpb.New(time.Duration(1+r.IntN(10_000)) * time.Millisecond)
		}
		asked := time.Now()
		s.requests.Add(1)
		trying, cancel := ctx, func() {}
		if r.IntN(20) == 0 { // it does not wait for the answer
			trying, cancel = context.WithTimeout(ctx, 10*time.Millisecond)
		}
		answer, err := s.askOnce(trying, request)
		cancel()
		if err != nil {
			continue
		}
		s.answered.Add(1)
		s.asked(ctx, r, request, answer, asked)
	}
}

// asked looks at an answer, and sometimes goes on with it.
func (s *soak) asked(ctx context.Context, r *rand.Rand, request *scorev1.RequestScoreRequest, answer *scorev1.Answer, asked time.Time) {
	if request.Refresh {
		s.mu.Lock()
		if id := answer.CorrelationId; s.strict[id].Before(asked) {
			s.strict[id] = asked
		}
		s.mu.Unlock()
	}
	if sc := answer.Score; sc != nil && request.MaxAge != nil && asked.Sub(sc.CalculatedAt.AsTime()) > request.MaxAge.AsDuration() {
		s.t.Errorf("%s: a score from %v before the request, which allowed %v", answer.CorrelationId, asked.Sub(sc.CalculatedAt.AsTime()), request.MaxAge)
	}
	ctx, cancel := context.WithTimeout(ctx, try)
	defer cancel()
	switch {
	case answer.Status == scorev1.Status_PENDING && r.IntN(20) == 0:
		_, _ = s.client.Abort(ctx, &scorev1.AbortRequest{CorrelationId: answer.CorrelationId})
	case answer.Status == scorev1.Status_READY && r.IntN(4) == 0:
		got, err := s.client.Fetch(ctx, &scorev1.FetchScoreRequest{
			CustomerId: request.CustomerId, Product: request.Product, MinRevision: answer.Revision,
		})
		if refused(err) || got != nil && got.Status == scorev1.Status_READY && got.Revision < answer.Revision {
			s.t.Errorf("%s is READY, and its customer's score is not there: %v, %v", answer.CorrelationId, got, err)
		}
	case r.IntN(4) == 0:
		if got, err := s.client.Fetch(ctx, &scorev1.FetchScoreRequest{CorrelationId: answer.CorrelationId}); refused(err) {
			s.t.Errorf("%s was promised: %v, %v", answer.CorrelationId, got, err)
		}
	}
}

// refused says whether err is an answer, and a final one.
func refused(err error) bool {
	f, ok := err.(*fault.Error)
	return ok && !f.Retryable()
}

// misbehave makes a backend that takes its time, fails, declines, and notifies too often, otherwise, late or never.
func (s *soak) misbehave() func(context.Context, call) verdict {
	var mu sync.Mutex
	r := rand.New(rand.NewPCG(s.seed, 1000))
	return func(ctx context.Context, c call) verdict {
		mu.Lock()
		takes := time.Duration(r.IntN(300)) * time.Millisecond
		how := r.IntN(20)
		mu.Unlock()
		select {
		case <-time.After(takes):
		case <-ctx.Done():
		}
		switch {
		case how == 0:
			return verdict{status: http.StatusServiceUnavailable}
		case how == 1:
			return verdict{status: http.StatusUnprocessableEntity}
		case c.Product == silent && how < 12:
			return verdict{silent: true}
		case c.Product == silent:
			return verdict{late: 3 * time.Second}
		case how == 2:
			return verdict{again: []*scorev1.Report{s.backend.reported(c.ID)}}
		case how == 3:
			return verdict{again: []*scorev1.Report{scored(c.ID + " otherwise")}}
		}
		return verdict{}
	}
}
