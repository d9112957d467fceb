package e2e

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Many ask for one customer's score at once, at three gateways. There is one call, and everybody gets its score.
func TestTheHerdMakesOneCall(t *testing.T) {
	const herd = 10_000
	s := newSuite(t, func(c *setup) { c.gateways = 3 })
	release := s.held()
	atRest := runtime.NumGoroutine()
	answers := make(chan *scorev1.Answer, herd)
	s.flood(herd, func(int) string { return "42" }, answers)
	s.untilWaiting(herd, atRest+100)
	release()

	var first *scorev1.Answer
	how := map[scorev1.Cache]int{}
	for range herd {
		a := next(t, answers)
		how[a.Cache]++
		if first == nil {
			first = a
		}
		if a.Status != scorev1.Status_READY || a.CorrelationId != first.CorrelationId || !proto.Equal(a.Score, first.Score) {
			t.Fatalf("one got %v, another %v", first, a)
		}
	}
	if n := s.backend.all(); n != 1 || how[scorev1.Cache_MISS] != 1 || how[scorev1.Cache_JOINED] != herd-1 {
		t.Errorf("%d calls; the answers are %v", n, how)
	}
}

// A request that waits costs no goroutine.
func TestWaitingHoldsNoGoroutine(t *testing.T) {
	const requests, at, customers = 20_000, 2000, 200
	s := newSuite(t, nil)
	release := s.held()
	atRest := runtime.NumGoroutine()
	answers := make(chan *scorev1.Answer, requests)
	for waiting := at; waiting <= requests; waiting += at {
		s.flood(at, func(i int) string { return fmt.Sprint(i % customers) }, answers)
		s.untilWaiting(waiting, atRest+12*customers) // a few for each call of the backend, which is in this process too
	}
	release()
	for range requests {
		if a := next(t, answers); a.Status != scorev1.Status_READY {
			t.Fatalf("got %v", a)
		}
	}
	if n := s.backend.all(); n != customers {
		t.Errorf("%d calls", n)
	}
}

// held has calls of the backend wait until they are released.
func (s *suite) held() (release func()) {
	held := make(chan struct{})
	s.backend.answers(func(ctx context.Context, _ call) verdict {
		select {
		case <-held:
		case <-ctx.Done():
		}
		return verdict{}
	})
	return func() { close(held) }
}

// flood asks n times without waiting for answers in between. Who is told to come back later does.
func (s *suite) flood(n int, customer func(int) string, answers chan<- *scorev1.Answer) {
	s.t.Helper()
	inbox := nats.NewInbox()
	ask := func(i int) error {
		msg, err := wire.Protobuf.Message(subject.Request, &scorev1.RequestScoreRequest{
			CustomerId: customer(i), Wait: durationpb.New(100 * time.Second),
		})
		if err != nil {
			return err
		}
		msg.Reply = fmt.Sprintf("%s.%d", inbox, i)
		return s.nc.PublishMsg(msg)
	}
	sub, err := s.nc.Subscribe(inbox+".*", func(msg *nats.Msg) {
		a := &scorev1.Answer{}
		err := wire.ReadReply(msg, a)
		if f, ok := errors.AsType[*fault.Error](err); ok && f.Retryable() {
			i, _ := strconv.Atoi(strings.TrimPrefix(msg.Subject, inbox+"."))
			time.AfterFunc(max(f.RetryAfter, time.Second), func() { _ = ask(i) })
			return
		}
		if err != nil {
			s.t.Error(err)
		}
		answers <- a
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = sub.Unsubscribe() })
	for i := range n {
		if err := ask(i); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := s.nc.Flush(); err != nil {
		s.t.Fatal(err)
	}
}

// untilWaiting returns when n requests wait and do nothing else: those that wait hold no goroutine, so there are few.
func (s *suite) untilWaiting(n, goroutines int) {
	s.t.Helper()
	eventually(s.t, func() error {
		waiting, err := s.waiting()
		if err == nil && waiting != n {
			err = fmt.Errorf("%d requests wait, not %d", waiting, n)
		}
		if now := runtime.NumGoroutine(); err == nil && now > goroutines {
			err = fmt.Errorf("there are %d goroutines, more than %d", now, goroutines)
		}
		return err
	})
}

func next(t *testing.T, answers <-chan *scorev1.Answer) *scorev1.Answer {
	t.Helper()
	select {
	case a := <-answers:
		return a
	case <-time.After(patience):
		t.Fatal("there is no further answer")
		return nil
	}
}
