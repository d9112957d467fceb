package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// TestUncached compares requests for scores that must be calculated first, by a backend that takes no time, to a pipeline that does nothing
// but store and announce.
func TestUncached(t *testing.T) {
	ns, url := server(t)
	all := []*process{ns}
	for _, role := range []string{"pipeline", "correlator", "adapter", "gateway"} {
		all = append(all, start(t, role, urlVariable+"="+url))
	}
	nc := connect(t, url)
	fill(t, nc, 1) // until everything works
	floor, told, waits := newBare(t, nc), newTold(t, nc), newWaits(t, nc)
	rows := newComparison("Uncached: submitted to notified, with a backend of 0 ms; floor: publish, pull, KV put, result publish + republish, ack")
	defer rows.end()
	for _, n := range []int{1, 64, 1024} {
		run := func(r route) sample {
			return metered(t, all, func() sample { return outstanding(t, n, r) })
		}
		var a, b, c series
		for range rounds() {
			a, b, c = append(a, run(floor)), append(b, run(told)), append(c, run(waits))
		}
		goal := 0.5
		if n == 1 {
			goal = 0
		}
		rows.compare(fmt.Sprintf("told by the result's subject, %d outstanding", n), a, b, goal, 0)
		rows.compare(fmt.Sprintf("waiting for the answer, %d outstanding", n), a, c, goal, 0)
	}
}

// route is a way to have something calculated, and to be told.
type route interface {
	// submit sends the n-th one off. done is called when it is accepted and its result has been told.
	submit(n int64, done func(error))
}

// submitted numbers what is submitted, over all turns: each is a customer of its own.
var submitted atomic.Int64

// outstanding keeps n submissions under way for a while.
func outstanding(t *testing.T, n int, r route) sample {
	t.Helper()
	latencies := newTimings()
	places := make(chan struct{}, n)
	failed := make(chan error, 1)
	var open sync.WaitGroup
	begin := time.Now()
	for time.Since(begin) < turn() {
		select {
		case places <- struct{}{}:
		case err := <-failed:
			t.Fatal(err)
		case <-time.After(time.Minute):
			t.Fatal("nothing is told any more")
		}
		open.Add(1)
		sent := time.Now()
		r.submit(submitted.Add(1), func(err error) {
			latencies.took(time.Since(sent))
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
			<-places
			open.Done()
		})
	}
	open.Wait()
	return done(begin, latencies.h)
}

// bare submits to the floor.
type bare struct {
	in    inbox
	pairs *pairs
	work  []byte
}

func newBare(t *testing.T, nc *nats.Conn) *bare {
	t.Helper()
	b := &bare{pairs: newPairs()}
	b.in = newInbox(t, nc, func(number string, msg *nats.Msg) {
		var ack struct {
			Error    *struct{ Description string }
			Sequence uint64 `json:"seq"`
		}
		err := json.Unmarshal(msg.Data, &ack)
		if err == nil && ack.Sequence == 0 {
			err = fmt.Errorf("not stored: %s", msg.Data)
		}
		b.pairs.accepted(number, number, err)
	})
	listen(t, nc, announceSubject+"*", func(msg *nats.Msg) { b.pairs.announced(msg.Subject[len(announceSubject):]) })
	now := timestamppb.Now()
	var err error
	b.work, err = wire.Protobuf.Marshal(&scorev1.Calculation{ // as large as ours
		CorrelationId: correlation.ID{}.String(), Product: "credit", CustomerId: customer(0), CreatedAt: now, Deadline: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bare) submit(n int64, done func(error)) {
	b.pairs.submitted(n, done)
	if err := b.in.ask(&nats.Msg{Subject: workSubject + strconv.FormatInt(n, 10), Data: b.work}, n); err != nil {
		b.pairs.accepted(strconv.FormatInt(n, 10), "", err)
	}
}

// told asks, and is told by the result's subject.
type told struct {
	in    inbox
	pairs *pairs
}

func newTold(t *testing.T, nc *nats.Conn) *told {
	t.Helper()
	o := &told{pairs: newPairs()}
	o.in = newInbox(t, nc, func(number string, msg *nats.Msg) {
		answer := &scorev1.Answer{}
		err := wire.ReadReply(msg, answer)
		o.pairs.accepted(number, answer.CorrelationId, err)
	})
	listen(t, nc, subject.AllResults, func(msg *nats.Msg) { o.pairs.announced(msg.Subject[strings.LastIndexByte(msg.Subject, '.')+1:]) })
	return o
}

func (o *told) submit(n int64, done func(error)) {
	o.pairs.submitted(n, done)
	if err := o.in.ask(request(n, 0), n); err != nil {
		o.pairs.accepted(strconv.FormatInt(n, 10), "", err)
	}
}

// waits asks, and waits for the answer.
type waits struct {
	in    inbox
	pairs *pairs
}

func newWaits(t *testing.T, nc *nats.Conn) *waits {
	t.Helper()
	w := &waits{pairs: newPairs()}
	w.in = newInbox(t, nc, func(number string, msg *nats.Msg) {
		answer := &scorev1.Answer{}
		err := wire.ReadReply(msg, answer)
		if err == nil && answer.Status != scorev1.Status_READY {
			err = errors.New("the answer is " + answer.Status.String())
		}
		w.pairs.announced(number)
		w.pairs.accepted(number, number, err)
	})
	return w
}

func (w *waits) submit(n int64, done func(error)) {
	w.pairs.submitted(n, done)
	if err := w.in.ask(request(n, time.Minute), n); err != nil {
		w.pairs.accepted(strconv.FormatInt(n, 10), "", err)
	}
}

// request is that for the n-th customer.
func request(n int64, wait time.Duration) *nats.Msg {
	msg, err := wire.Protobuf.Message(subject.Request, &scorev1.RequestScoreRequest{
		CustomerId: customer(customers + int(n)), Wait: durationpb.New(wait),
	})
	if err != nil { // it is text
		panic(err)
	}
	return msg
}
