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

// Headers of dead letters and invalid messages.
const (
	ReasonHeader   = "Reason"
	OriginHeader   = "Original-Subject"
	sequenceHeader = "Original-Sequence"
)

// Bury stores a dead letter. Repeated with the same identity within minutes, it is stored once.
func (s *Store) Bury(ctx context.Context, product string, id correlation.ID, identity string, letter *scorev1.Dead) error {
	data, err := proto.Marshal(letter)
	if err != nil {
		return fmt.Errorf("bury %s: %w", id, err)
	}
	msg := &nats.Msg{Subject: subject.Dead(product, id), Data: data, Header: nats.Header{ReasonHeader: {letter.Reason}}}
	if _, err := bus.Publish(ctx, s.js, msg, jetstream.WithMsgID(id.String()+identity)); err != nil {
		return fmt.Errorf("bury %s: %w", id, err)
	}
	return nil
}

// Reject moves a message that cannot be read to the invalid messages, bytes and all, and out of its stream, where it would stand in the
// way. It acknowledges the message.
func (s *Store) Reject(ctx context.Context, msg jetstream.Msg, reason error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("reject: %w", err)
	}
	sequence := fmt.Sprint(meta.Sequence.Stream)
	invalid := &nats.Msg{Subject: subject.Invalid(meta.Stream), Data: msg.Data(), Header: nats.Header{
		ReasonHeader: {reason.Error()}, OriginHeader: {msg.Subject()}, sequenceHeader: {sequence},
	}}
	if _, err := bus.Publish(ctx, s.js, invalid, jetstream.WithMsgID(meta.Stream+sequence)); err != nil {
		return fmt.Errorf("reject: %w", err)
	}
	if err := s.remove(ctx, meta.Stream, meta.Sequence.Stream); err != nil {
		return fmt.Errorf("reject: %w", err)
	}
	return msg.Ack()
}

// Consumer is a durable consumer of a stream, one for all instances of a service. wait is how long a message may be worked on without a sign
// of life before another instance gets it.
func (s *Store) Consumer(ctx context.Context, stream, name, filter string, wait time.Duration) (jetstream.Consumer, error) {
	c, err := s.js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
		Durable: name, FilterSubject: filter, AckPolicy: jetstream.AckExplicitPolicy, AckWait: wait, MaxAckPending: maxAckPending,
	})
	if err != nil {
		return nil, fmt.Errorf("consumer %s of %s: %w", name, stream, err)
	}
	return c, nil
}

// maxAckPending is how many messages of a consumer may be under way in all instances together. Work that was put back counts too.
const maxAckPending = 50_000
