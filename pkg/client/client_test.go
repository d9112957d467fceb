package client_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// start starts a fake on a server, and a client with a connection of its own.
func start(t *testing.T, server *natstest.Server, answer *scorev1.Answer) (*client.Client, *nats.Conn, *fake) {
	t.Helper()
	f, err := serve(t.Context(), server.Conn(), answer)
	if err != nil {
		t.Fatal(err)
	}
	nc := server.Conn()
	return client.New(nc), nc, f
}

func TestAnswers(t *testing.T) {
	c, _, _ := start(t, natstest.Run(t), ready())
	for name, ask := range map[string]func() (*scorev1.Answer, error){
		"request": func() (*scorev1.Answer, error) {
			return c.Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: "42"})
		},
		"fetch": func() (*scorev1.Answer, error) {
			return c.Fetch(t.Context(), &scorev1.FetchScoreRequest{CorrelationId: id})
		},
		"watch": func() (*scorev1.Answer, error) { return c.Watch(t.Context(), id) },
	} {
		got, err := ask()
		if diff := cmp.Diff(ready(), got, protocmp.Transform()); err != nil || diff != "" {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestErrorsAreThoseThatWereTold(t *testing.T) {
	c, _, f := start(t, natstest.Run(t), nil)
	f.err = &fault.Error{Code: scorev1.Code_OVERLOADED, Message: "come back later", Field: "wait", RetryAfter: time.Second}
	_, err := c.Request(t.Context(), &scorev1.RequestScoreRequest{})
	if diff := cmp.Diff(f.err, err); diff != "" {
		t.Error(diff)
	}
	_, err = c.Notify(t.Context(), &scorev1.NotifyRequest{CorrelationId: id, Token: "wrong"})
	wantCode(t, err, scorev1.Code_UNAUTHENTICATED)
}

func TestNobodyServes(t *testing.T) {
	nc := natstest.Run(t).Conn()
	_, err := client.New(nc).Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: "42"})
	wantCode(t, err, scorev1.Code_UNAVAILABLE)
	if want := "UNAVAILABLE: nobody serves score.v1.request"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	nc.Close()
	_, err = client.New(nc).Abort(t.Context(), &scorev1.AbortRequest{})
	wantCode(t, err, scorev1.Code_UNAVAILABLE)
}

func TestTheCallersContextStaysItsOwn(t *testing.T) {
	server := natstest.Run(t)
	ctx, cancel := context.WithCancel(t.Context())
	silent := server.Conn()
	if _, err := silent.Subscribe("score.v1.request", func(*nats.Msg) { cancel() }); err != nil {
		t.Fatal(err)
	}
	if err := silent.Flush(); err != nil {
		t.Fatal(err)
	}
	_, err := client.New(server.Conn()).Request(ctx, &scorev1.RequestScoreRequest{CustomerId: "42"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWhatCannotBeSent(t *testing.T) {
	c, _, _ := start(t, natstest.Run(t), ready())
	for _, customer := range []string{"\xff", string(make([]byte, 2<<20))} {
		_, err := c.Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: customer})
		wantCode(t, err, scorev1.Code_INVALID_ARGUMENT)
	}
}

func TestWaitEndsBeforeTheDeadline(t *testing.T) {
	c, _, f := start(t, natstest.Run(t), ready())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req := &scorev1.RequestScoreRequest{CustomerId: "42", Wait: durationpb.New(time.Hour)}
	if _, err := c.Request(ctx, req); err != nil {
		t.Fatal(err)
	}
	if got := (<-f.requested).Wait.AsDuration(); got <= 0 || got > 10*time.Second {
		t.Errorf("the gateway was told to wait %v", got)
	}
	if got := req.Wait.AsDuration(); got != time.Hour {
		t.Errorf("the caller's message was changed to %v", got)
	}
}

func TestClip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct{ deadline, wait, want time.Duration }{
			{0, time.Hour, time.Hour},
			{time.Minute, 0, 0},
			{time.Minute, 30 * time.Second, 30 * time.Second},
			{time.Minute, time.Minute, time.Minute - 250*time.Millisecond},
			{100 * time.Millisecond, time.Minute, 75 * time.Millisecond},
			{-time.Second, time.Minute, 0},
			{time.Minute, -time.Second, -time.Second}, // for the gateway to refuse
		} {
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if test.deadline != 0 {
				ctx, cancel = context.WithTimeout(ctx, test.deadline)
			}
			if got := client.Clip(ctx, durationpb.New(test.wait)).AsDuration(); got != test.want {
				t.Errorf("%v of %v: got %v, want %v", test.wait, test.deadline, got, test.want)
			}
			cancel()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		wrong := &durationpb.Duration{Seconds: math.MaxInt64}
		if got := client.Clip(ctx, wrong); got != wrong {
			t.Errorf("what is not a duration became %v", got)
		}
		if got := client.Clip(ctx, nil); got != nil {
			t.Errorf("no wait became %v", got)
		}
	})
}

func TestNotifyAndAbort(t *testing.T) {
	c, _, _ := start(t, natstest.Run(t), pending())
	score := &scorev1.Score{Outcome: scorev1.Outcome_SCORED, Value: proto.Int32(400), RangeMin: 300, RangeMax: 850}
	report := &scorev1.Report{Result: &scorev1.Report_Score{Score: score}}
	resp, err := c.Notify(t.Context(), &scorev1.NotifyRequest{CorrelationId: id, Token: "secret", Report: report})
	if err != nil || resp.CorrelationId != id {
		t.Fatalf("got %v, %v", resp, err)
	}
	answer, err := c.Abort(t.Context(), &scorev1.AbortRequest{CorrelationId: id})
	if err != nil || answer.Status != scorev1.Status_CANCELLED {
		t.Fatalf("got %v, %v", answer, err)
	}
}

func wantCode(t *testing.T, err error, code scorev1.Code) {
	t.Helper()
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != code {
		t.Errorf("got %v, want %v", err, code)
	}
}
