package client

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Results is the stream of all results, each kept for a while. Safe for concurrent use.
type Results struct {
	js     jetstream.JetStream
	stream jetstream.Stream // only for what does not change of it
}

// Result is a result as it was stored.
type Result struct {
	ID       correlation.ID
	Sequence uint64 // its place in the stream
	Document []byte // an Answer, as JSON
}

// Answer reads the document.
func (r Result) Answer() (*scorev1.Answer, error) {
	answer := &scorev1.Answer{}
	if err := wire.ReadReply(&nats.Msg{Data: r.Document}, answer); err != nil {
		return nil, fault.New(scorev1.Code_INTERNAL, "the result of %s cannot be read", r.ID)
	}
	return answer, nil
}

// Span is what is in the stream: the sequences from First to Last; nothing, when First is Last + 1.
type Span struct{ First, Last uint64 }

// Results opens the stream of results.
func (c *Client) Results(ctx context.Context) (*Results, error) {
	js, err := jetstream.New(c.nc)
	if err != nil {
		return nil, fault.New(scorev1.Code_INTERNAL, "JetStream: %v", err)
	}
	stream, err := js.Stream(ctx, subject.Results)
	if err != nil {
		return nil, failure(ctx, subject.Results, err)
	}
	return &Results{js: js, stream: stream}, nil
}

// Kept is how long a result is kept; 0 = for ever.
func (r *Results) Kept() time.Duration { return r.stream.CachedInfo().Config.MaxAge }

// Span is what is in the stream now.
func (r *Results) Span(ctx context.Context) (Span, error) {
	stream, err := r.js.Stream(ctx, subject.Results)
	if err != nil {
		return Span{}, failure(ctx, subject.Results, err)
	}
	state := stream.CachedInfo().State
	return Span{First: max(state.FirstSeq, 1), Last: state.LastSeq}, nil
}

// Get is the result of a calculation, with its place in the stream. NOT_FOUND says that there is none here yet, or no more; only a Fetch
// knows of a calculation that is in progress.
func (r *Results) Get(ctx context.Context, id correlation.ID) (Result, error) {
	msg, err := r.stream.GetLastMsgForSubject(ctx, subject.Result(id))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return Result{}, fault.New(scorev1.Code_NOT_FOUND, "there is no result of this correlation ID")
	case err != nil:
		return Result{}, failure(ctx, subject.Results, err)
	}
	return Result{ID: id, Sequence: msg.Sequence, Document: msg.Data}, nil
}

// Follow calls see for each result that is stored after a sequence, in their order, until ctx ends, which is no error, or see returns false.
// None is missed, whatever happens to the connection; those that are no longer kept are left out. It costs the server a consumer: share
// what it tells among those who are here.
func (r *Results) Follow(ctx context.Context, after uint64, see func(Result) bool) error {
	consumer, err := r.js.OrderedConsumer(ctx, subject.Results, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1, MaxResetAttempts: -1,
	})
	if err != nil {
		return failure(ctx, subject.Results, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var enough atomic.Bool
	following, err := consumer.Consume(func(msg jetstream.Msg) {
		meta, err := msg.Metadata()
		id, ok := subject.ParseID(msg.Subject())
		if err != nil || !ok || enough.Load() {
			return
		}
		if !see(Result{ID: id, Sequence: meta.Sequence.Stream, Document: msg.Data()}) {
			enough.Store(true)
			cancel()
		}
	}, jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return failure(ctx, subject.Results, err)
	}
	<-ctx.Done()
	following.Stop()
	<-following.Closed()
	return nil
}
