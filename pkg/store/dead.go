package store

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// ReasonHeader is the header of dead letters and of invalid messages.
const ReasonHeader = "Reason"

// Bury stores a dead letter. Repeated with the same identity within minutes, it is stored once.
func (s *Store) Bury(ctx context.Context, product string, id correlation.ID, identity string, letter *scorev1.Dead) error {
	data, err := proto.Marshal(letter)
	if err != nil {
		return fmt.Errorf("bury %s: %w", id, err)
	}
	msg := &nats.Msg{Subject: subject.Dead(product, id), Data: data, Header: nats.Header{ReasonHeader: {letter.Reason}}}
	if _, err := bus.Publish(ctx, s.nc, msg, bus.Once(id.String()+identity)); err != nil {
		return fmt.Errorf("bury %s: %w", id, err)
	}
	return nil
}

// Consumer is a durable consumer of a stream, one for all instances of a service. wait is how long a message may be worked on without a sign
// of life before another instance gets it.
func (s *Store) Consumer(ctx context.Context, stream, name, filter string, wait time.Duration) (jetstream.Consumer, error) {
	var c jetstream.Consumer
	err := start(ctx, func(ctx context.Context) (err error) {
		c, err = s.js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
			Durable: name, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy, AckWait: wait, MaxAckPending: maxAckPending,
		})
		return lasting(err)
	})
	if err != nil {
		return nil, fmt.Errorf("consumer %s of %s: %w", name, stream, err)
	}
	return c, nil
}

// maxAckPending is how many messages of a consumer may be under way in all instances together. Work that was put back counts too.
const maxAckPending = 50_000
