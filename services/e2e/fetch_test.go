package e2e

import (
	"testing"
	"time"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Whoever was given a correlation ID is never told that there is none, and can wait for its end.
func TestAFetchBeforeTheEndIsPending(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	called, release := s.calling()
	running := s.asks(&scorev1.RequestScoreRequest{CustomerId: "42"})
	s.awaitCall(called)
	next := s.asks(&scorev1.RequestScoreRequest{CustomerId: "42", Refresh: true})
	for id, state := range map[string]scorev1.State{
		running.CorrelationId: scorev1.State_RUNNING, next.CorrelationId: scorev1.State_QUEUED,
	} {
		got, err := s.fetches(&scorev1.FetchScoreRequest{CorrelationId: id})
		if err != nil || got.Status != scorev1.Status_PENDING || got.State != state || got.Eta == nil || got.CorrelationId != id {
			t.Errorf("%v: %v, %v", state, got, err)
		}
	}
	ended := make(chan *scorev1.Answer, 1)
	go func() {
		got, err := s.client.Fetch(t.Context(), &scorev1.FetchScoreRequest{CorrelationId: running.CorrelationId, Wait: wait(patience)})
		if err != nil {
			t.Error(err)
		}
		ended <- got
	}()
	s.untilWaiting(1, 1<<20)
	release()
	if got := <-ended; got.GetStatus() != scorev1.Status_READY || got.CorrelationId != running.CorrelationId {
		t.Errorf("%v", got)
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

func TestAFetchByCustomerTellsWhyThereIsNone(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	called, release := s.calling()
	ask := &scorev1.FetchScoreRequest{CustomerId: "42"}
	if _, never := s.fetches(ask); never == nil || never.Code != scorev1.Code_NOT_FOUND || !never.CalculatedAt.IsZero() {
		t.Errorf("never calculated: %v", never)
	}
	running := s.asks(&scorev1.RequestScoreRequest{CustomerId: "42"})
	s.awaitCall(called)
	if got, err := s.fetches(ask); err != nil || got.Status != scorev1.Status_PENDING || got.CorrelationId != running.CorrelationId {
		t.Errorf("in progress: %v, %v", got, err)
	}
	release()
	end := s.ends(running.CorrelationId)
	ask.MinRevision = end.Revision
	if got, err := s.fetches(ask); err != nil || got.Status != scorev1.Status_READY || got.Revision < end.Revision {
		t.Errorf("there: %v, %v", got, err)
	}
}

// There is no room to wait: PENDING at once, and the result comes all the same.
func TestWhoFindsNoRoomToWaitIsPendingAtOnce(t *testing.T) {
	t.Parallel()
	s := newSuite(t, func(c *setup) { c.gateway.MaxWaiting = 2 })
	called, release := s.calling()
	ask := &scorev1.RequestScoreRequest{CustomerId: "42"}
	waiters := []<-chan *scorev1.Answer{s.waits(ask), s.waits(ask)}
	id := s.awaitCall(called).ID
	s.untilWaiting(2, 1<<20)
	ask.Wait = wait(2 * time.Second)
	began := time.Now()
	if answer := s.asks(ask); answer.Status != scorev1.Status_PENDING || answer.CorrelationId != id || time.Since(began) > time.Second {
		t.Errorf("after %v: %v", time.Since(began), answer)
	}
	release()
	for _, w := range waiters {
		if answer := <-w; answer.GetStatus() != scorev1.Status_READY {
			t.Errorf("%v", answer)
		}
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}
