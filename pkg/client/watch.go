package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/retry"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// afterFailure is how soon a Watch looks again after a look that failed.
var afterFailure = retry.Policy{First: 250 * time.Millisecond, Most: 5 * time.Second}

// Watch waits for the end of a calculation and returns its final answer, READY, FAILED or CANCELLED: at once when it has ended already. It
// waits as long as ctx allows, also while NATS or the services are away; NOT_FOUND and the like end it.
//
// It listens for the announcement of the result, then looks at what is there, and looks again after each reconnect and now and then:
// announcements are made once, and one that is made while the connection is down is lost.
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
	status := c.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	defer c.nc.RemoveStatusListener(status)

	look, cancel := c.look(ctx, correlationID)
	defer func() { cancel() }()
	var next <-chan time.Time
	for failed := 0; ; {
		select {
		case msg := <-announced:
			answer := &scorev1.Answer{}
			if wire.ReadReply(msg, answer) == nil && final(answer) {
				return answer, nil
			}
		case seen := <-look:
			if final(seen.answer) || seen.err != nil && !c.passes(seen.err) {
				return seen.answer, seen.err
			}
			if failed++; seen.err == nil {
				failed = 0
			}
			next = time.After(c.pause(failed, seen.err))
		case <-status: // a reply that was under way is lost
			cancel()
			look, cancel = c.look(ctx, correlationID)
		case <-next:
			cancel()
			look, cancel = c.look(ctx, correlationID)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// seen is what a look brought.
type seen struct {
	answer *scorev1.Answer
	err    error
}

// look fetches until cancel is called or ctx ends.
func (c *Client) look(ctx context.Context, id string) (_ <-chan seen, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(ctx)
	result := make(chan seen, 1)
	go func() {
		answer, err := c.Fetch(ctx, &scorev1.FetchScoreRequest{CorrelationId: id})
		result <- seen{answer, err}
	}()
	return result, cancel
}

// pause is how long to wait after a look: spread, so that many who watch do not look together.
func (c *Client) pause(failed int, err error) time.Duration {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return max(afterFailure.Delay(failed), f.RetryAfter)
	}
	return c.lookEvery + rand.N(c.lookEvery)
}

// passes says of an error whether a later look may succeed.
func (c *Client) passes(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Retryable() && !c.nc.IsClosed()
}

func final(a *scorev1.Answer) bool {
	switch a.GetStatus() {
	case scorev1.Status_READY, scorev1.Status_FAILED, scorev1.Status_CANCELLED:
		return true
	}
	return false
}
