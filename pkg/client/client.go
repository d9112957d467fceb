// Package client asks scoreflow for scores, on a connection to NATS that its user keeps.
//
//	c := client.New(nc)
//	answer, err := c.Request(ctx, &scorev1.RequestScoreRequest{CustomerId: "42", Wait: durationpb.New(10 * time.Second)})
//
// The status of an Answer says what there is. READY comes with the score. PENDING comes with the correlation ID of a calculation that goes
// on whether or not anybody waits: Watch waits for its end, Fetch looks at it. FAILED and CANCELLED are how a calculation ended; they
// are answers too, not errors.
//
// An error of a method is a *fault.Error, with a code of the closed set that all interfaces of scoreflow use and the name of the field that
// is wrong. UNAVAILABLE says that nobody serves the subject, that the answer did not come, or that NATS is away; the same call may be
// repeated, for requests for the same score join one calculation. When the caller's own context ends, the error is that context's.
//
// A context with a deadline is how a caller says how long it has. A wait that is longer than that is clipped, so that PENDING and the
// correlation ID come instead of a time-out. A trace context in it (package trace) reaches the backend that is called for a request.
package client

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/trace"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const (
	replyWithin = 15 * time.Second       // besides the wait: the election of a stream's leader takes seconds
	margin      = 250 * time.Millisecond // what is left of a deadline for the reply to arrive
)

// Client asks the services of scoreflow. Safe for concurrent use.
type Client struct {
	nc        *nats.Conn
	lookEvery time.Duration // of a Watch, at least
}

// New makes a client. The connection stays the caller's, who closes it. One that reconnects for ever (nats.MaxReconnects(-1)) lets a
// Watch outlive any absence of NATS.
func New(nc *nats.Conn) *Client { return &Client{nc: nc, lookEvery: 5 * time.Second} }

// Request asks for a customer's score. The answer comes as soon as it is final, and else, as PENDING, when the wait ends. The gateway
// limits how long a wait may be; Watch has no such limit.
func (c *Client) Request(ctx context.Context, req *scorev1.RequestScoreRequest) (*scorev1.Answer, error) {
	if wait := clip(ctx, req.GetWait()); wait != req.GetWait() {
		req = proto.CloneOf(req)
		req.Wait = wait
	}
	return c.answer(ctx, subject.Request, req.GetWait(), req)
}

// Fetch fetches the answer by correlation ID, or by customer ID. It never starts a calculation: nothing valid for a customer, or nothing
// known by that ID, is NOT_FOUND.
func (c *Client) Fetch(ctx context.Context, req *scorev1.FetchScoreRequest) (*scorev1.Answer, error) {
	if wait := clip(ctx, req.GetWait()); wait != req.GetWait() {
		req = proto.CloneOf(req)
		req.Wait = wait
	}
	return c.answer(ctx, subject.Fetch, req.GetWait(), req)
}

// Notify reports, for a backend, what came of a calculation. When it returns without an error the report is stored and cannot get lost.
// It may be repeated.
func (c *Client) Notify(ctx context.Context, req *scorev1.NotifyRequest) (*scorev1.NotifyResponse, error) {
	resp := &scorev1.NotifyResponse{}
	if err := c.ask(ctx, subject.Notify, nil, req, resp); err != nil {
		return nil, err
	}
	return resp, nil
}

// Abort ends a calculation as CANCELLED for everyone who holds its correlation ID. The answer is its final one: another, when it had ended
// before.
func (c *Client) Abort(ctx context.Context, req *scorev1.AbortRequest) (*scorev1.Answer, error) {
	return c.answer(ctx, subject.Abort, nil, req)
}

func (c *Client) answer(ctx context.Context, to string, wait *durationpb.Duration, req proto.Message) (*scorev1.Answer, error) {
	answer := &scorev1.Answer{}
	if err := c.ask(ctx, to, wait, req, answer); err != nil {
		return nil, err
	}
	return answer, nil
}

// ask sends req and reads the reply into resp.
func (c *Client) ask(ctx context.Context, to string, wait *durationpb.Duration, req, resp proto.Message) error {
	msg, err := wire.Protobuf.Message(to, req)
	if err != nil {
		return fault.Invalid("", "the request holds text that is not UTF-8")
	}
	trace.From(ctx).Set(msg.Header)
	try, cancel := context.WithTimeout(ctx, patience(wait))
	defer cancel()
	reply, err := c.nc.RequestMsgWithContext(try, msg)
	if err != nil {
		return failure(ctx, to, err)
	}
	err = wire.ReadReply(reply, resp)
	if _, told := errors.AsType[*fault.Error](err); err != nil && !told {
		return fault.New(scorev1.Code_INTERNAL, "the answer of %s cannot be read", to)
	}
	return err
}

// clip is the wait that leaves time for the reply to arrive before ctx ends: wait itself, where it does.
func clip(ctx context.Context, wait *durationpb.Duration) *durationpb.Duration {
	deadline, ok := ctx.Deadline()
	if !ok || !wait.IsValid() {
		return wait
	}
	left := max(time.Until(deadline), 0)
	if limit := left - min(margin, left/4); wait.AsDuration() > limit {
		return durationpb.New(limit)
	}
	return wait
}

// patience is how long a reply may take.
func patience(wait *durationpb.Duration) time.Duration {
	return min(max(wait.AsDuration(), 0), math.MaxInt64-replyWithin) + replyWithin
}

// failure is the error to return for one of the connection.
func failure(ctx context.Context, to string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, nats.ErrNoResponders):
		return fault.New(scorev1.Code_UNAVAILABLE, "nobody serves %s", to)
	case errors.Is(err, context.DeadlineExceeded):
		return fault.New(scorev1.Code_UNAVAILABLE, "%s does not answer", to)
	case errors.Is(err, nats.ErrMaxPayload):
		return fault.Invalid("", "the request is larger than NATS takes")
	}
	return fault.New(scorev1.Code_UNAVAILABLE, "%s cannot be asked: %v", to, err)
}
