package bench

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// The names of the floor of an uncached answer.
const (
	workSubject     = "bench.work."
	resultSubject   = "bench.result."
	announceSubject = "bench.announced."
	workStream      = "BENCH_WORK"
	resultStream    = "BENCH_RESULTS"
	scoresBucket    = "bench"
)

// pipeline is the floor of an uncached answer, as one would write it who needs nothing but that a score, once calculated, is kept and told:
// one worker that takes work from a queue, puts the score into a bucket, publishes the result, which is announced when it is stored, and
// acknowledges the work. Every write is acknowledged, on files, and the streams are set up like ours. It has no single flight, no
// deadlines, no retries, and nobody to decide whether there is anything to calculate.
type pipeline struct {
	js     jetstream.JetStream
	work   jetstream.Consumer
	scores jetstream.KeyValue
	record []byte
	result []byte
}

func newPipeline(ctx context.Context, nc *nats.Conn) (runner, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	p := &pipeline{js: js}
	for _, cfg := range []jetstream.StreamConfig{
		{
			Name: workStream, Subjects: []string{workSubject + "*"},
			Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, AllowDirect: true,
		},
		{
			Name: resultStream, Subjects: []string{resultSubject + "*"},
			RePublish:         &jetstream.RePublish{Source: resultSubject + "*", Destination: announceSubject + "{{wildcard(1)}}"},
			MaxMsgsPerSubject: 1, MaxAge: 24 * time.Hour, Storage: jetstream.FileStorage, AllowDirect: true,
		},
	} {
		if _, err := js.CreateOrUpdateStream(ctx, cfg); err != nil {
			return nil, err
		}
	}
	p.work, err = js.CreateOrUpdateConsumer(ctx, workStream, jetstream.ConsumerConfig{
		Durable: "worker", AckPolicy: jetstream.AckExplicitPolicy, AckWait: 30 * time.Second, MaxAckPending: 50_000,
	})
	if err != nil {
		return nil, err
	}
	p.scores, err = js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: scoresBucket, Storage: jetstream.FileStorage, LimitMarkerTTL: time.Hour})
	if err != nil {
		return nil, err
	}
	return p, p.write()
}

// write writes the documents, as large as ours.
func (p *pipeline) write() error {
	now := timestamppb.Now()
	sc := report().GetScore()
	sc.CalculatedAt, sc.ValidUntil = now, now
	id := "01990000-0000-8000-8000-000000000000"
	var err error
	if p.record, err = proto.Marshal(&scorev1.Record{Score: sc, CorrelationId: id, BeganAt: now}); err != nil {
		return err
	}
	p.result, err = wire.JSON.Marshal(&scorev1.Answer{
		CorrelationId: id, Status: scorev1.Status_READY, Product: "credit", CustomerId: customer(0), Score: sc, Revision: 1_000_000,
	})
	return err
}

// Run works, on at most so many items at once.
func (p *pipeline) Run(ctx context.Context) error {
	places := make(chan struct{}, workers)
	consuming, err := p.work.Consume(func(msg jetstream.Msg) {
		places <- struct{}{}
		go func() {
			defer func() { <-places }()
			if err := p.handle(ctx, msg); err != nil && ctx.Err() == nil {
				_, _ = os.Stderr.WriteString(err.Error() + "\n")
			}
		}()
	}, jetstream.PullMaxMessages(2*workers))
	if err != nil {
		return err
	}
	defer consuming.Stop()
	<-ctx.Done()
	return nil
}

func (p *pipeline) handle(ctx context.Context, msg jetstream.Msg) error {
	id := strings.TrimPrefix(msg.Subject(), workSubject)
	if _, err := p.scores.Put(ctx, id, p.record); err != nil {
		return err
	}
	if _, err := p.js.Publish(ctx, resultSubject+id, p.result); err != nil {
		return err
	}
	return msg.Ack()
}
