package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/retry"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// lookAgain is how soon a Watch repeats a look that failed.
var lookAgain = retry.Policy{First: 250 * time.Millisecond, Most: 5 * time.Second}

// ending is what ends a Watch.
type ending struct {
	answer *scorev1.Answer
	err    error
}

// Watch waits for the end of a calculation and returns its final answer, READY, FAILED or CANCELLED: at once when it has ended already. It
// waits as long as ctx allows, also while NATS or the services are away; NOT_FOUND and the like end it.
//
// It listens for the announcement of the result, and looks at the state first and then now and again: announcements are made once, and one
// that is made while the connection is down is lost.
func (c *Client) Watch(ctx context.Context, correlationID string) (*scorev1.Answer, error) {
	id, err := correlation.ParseID(correlationID)
	if err != nil {
		return nil, fault.Invalid("correlation_id", "%v", err)
	}
	announced := make(chan *nats.Msg, 1)
	sub, err := c.nc.ChanSubscribe(subject.Result(id), announced)
	if err != nil {
		return nil, failure(ctx, subject.Result(id), err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only when the connection is closed

	var looking sync.WaitGroup
	defer looking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	looked := make(chan ending, 1)
	looking.Go(func() { looked <- c.look(ctx, correlationID) })
	for {
		select {
		case msg := <-announced:
			answer := &scorev1.Answer{}
			if wire.ReadReply(msg, answer) == nil && final(answer) {
				return answer, nil
			}
		case end := <-looked:
			return end.answer, end.err
		}
	}
}

// look fetches until it finds an end: at once, after each reconnect, and now and again.
func (c *Client) look(ctx context.Context, id string) ending {
	status := c.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer c.nc.RemoveStatusListener(status)
	for failed := 0; ; {
		answer, err := c.Fetch(ctx, &scorev1.FetchScoreRequest{CorrelationId: id})
		if final(answer) {
			return ending{answer: answer}
		}
		delay := c.lookEvery + rand.N(c.lookEvery)
		if err == nil {
			failed = 0
		} else {
			f, told := errors.AsType[*fault.Error](err)
			if !told || !f.Retryable() || c.nc.IsClosed() {
				return ending{err: err}
			}
			failed++
			delay = max(lookAgain.Delay(failed), f.RetryAfter)
		}
		select {
		case <-ctx.Done():
			return ending{err: ctx.Err()}
		case <-status:
		case <-time.After(delay):
		}
	}
}

func final(a *scorev1.Answer) bool {
	switch a.GetStatus() {
	case scorev1.Status_READY, scorev1.Status_FAILED, scorev1.Status_CANCELLED:
		return true
	}
	return false
}
