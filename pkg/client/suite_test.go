package client_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// fake answers as the services do, for one customer: there is a score, or its calculation goes on until the test ends it.
type fake struct {
	nc        *nats.Conn
	requested chan *scorev1.RequestScoreRequest // what was asked, as it arrived
	fetched   chan struct{}                     // a fetch was answered

	mu     sync.Mutex
	answer *scorev1.Answer
	err    error // told instead of the answer
}

// id is the correlation ID of the calculation.
var id = correlation.NewID(correlation.Key{Product: "credit", Slot: "0a1b2c"}, time.Now()).String()

func pending() *scorev1.Answer {
	return &scorev1.Answer{
		CorrelationId: id, Status: scorev1.Status_PENDING, State: scorev1.State_RUNNING, Eta: durationpb.New(4 * time.Second),
		Product: "credit", CustomerId: "42", Cache: scorev1.Cache_MISS,
	}
}

func ready() *scorev1.Answer {
	return &scorev1.Answer{
		CorrelationId: id, Status: scorev1.Status_READY, Product: "credit", CustomerId: "42",
		Score: &scorev1.Score{Outcome: scorev1.Outcome_SCORED, Value: proto.Int32(712), RangeMin: 300, RangeMax: 850},
	}
}

func cancelled() *scorev1.Answer {
	return &scorev1.Answer{CorrelationId: id, Status: scorev1.Status_CANCELLED, Failure: &scorev1.Failure{Message: "it is not needed any more"}}
}

// serve serves the answer on a connection until that is closed.
func serve(ctx context.Context, nc *nats.Conn, answer *scorev1.Answer) (*fake, error) {
	f := &fake{nc: nc, answer: answer, requested: make(chan *scorev1.RequestScoreRequest, 100), fetched: make(chan struct{}, 100)}
	service, err := bus.NewService(ctx, nc, "fake", "1.0.0", "", zap.NewNop())
	if err != nil {
		return nil, err
	}
	return f, service.Serve(
		bus.Endpoint{Name: "request", Subject: subject.Request, Limit: 100, Handle: f.request},
		bus.Endpoint{Name: "fetch", Subject: subject.Fetch, Limit: 100, Handle: f.fetch},
		bus.Endpoint{Name: "notify", Subject: subject.Notify, Limit: 100, Handle: f.notify},
		bus.Endpoint{Name: "abort", Subject: subject.Abort, Limit: 100, Handle: f.abort},
	)
}

// end ends the calculation, silently or, as the correlator does, with an announcement.
func (f *fake) end(answer *scorev1.Answer, announced bool) error {
	f.mu.Lock()
	f.answer = answer
	f.mu.Unlock()
	if !announced {
		return nil
	}
	data, err := wire.JSON.Marshal(answer)
	if err != nil {
		return err
	}
	return f.nc.Publish("score.v1.result."+answer.CorrelationId, data)
}

func (f *fake) tell(req *bus.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		req.Fail(f.err)
		return
	}
	req.Answer(f.answer)
}

func (f *fake) request(_ context.Context, req *bus.Request) {
	var m scorev1.RequestScoreRequest
	if err := req.Decode(&m); err != nil {
		req.Fail(err)
		return
	}
	f.requested <- &m
	f.tell(req)
}

func (f *fake) fetch(_ context.Context, req *bus.Request) {
	var m scorev1.FetchScoreRequest
	if err := req.Decode(&m); err != nil {
		req.Fail(err)
		return
	}
	f.tell(req)
	f.fetched <- struct{}{}
}

func (f *fake) notify(_ context.Context, req *bus.Request) {
	var m scorev1.NotifyRequest
	if err := req.Decode(&m); err != nil {
		req.Fail(err)
		return
	}
	if m.Token != "secret" {
		req.Fail(fault.New(scorev1.Code_UNAUTHENTICATED, "the token is not that of this calculation"))
		return
	}
	a := ready()
	a.Score = m.Report.GetScore()
	if err := f.end(a, true); err != nil {
		req.Fail(err)
		return
	}
	req.Answer(&scorev1.NotifyResponse{CorrelationId: m.CorrelationId})
}

func (f *fake) abort(_ context.Context, req *bus.Request) {
	if err := f.end(cancelled(), true); err != nil {
		req.Fail(fmt.Errorf("abort: %w", err))
		return
	}
	f.tell(req)
}
