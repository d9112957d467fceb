package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

// Headers of invalid messages, besides ReasonHeader.
const (
	OriginHeader   = "Original-Subject"
	sequenceHeader = "Original-Sequence"
)

const (
	room   = 16 << 10 // for the headers of an invalid message
	strays = 100      // looked at by one RejectStrays
)

// Reject moves a message that cannot be read to the invalid messages and out of its stream, where it would stand in the way. It acknowledges
// the message.
func (s *Store) Reject(ctx context.Context, msg jetstream.Msg, reason error) error {
	meta, err := msg.Metadata()
	if err != nil {
		return fmt.Errorf("reject: %w", err)
	}
	m := &message{subject: msg.Subject(), sequence: meta.Sequence.Stream, data: msg.Data()}
	if err := s.reject(ctx, meta.Stream, m, reason); err != nil {
		return err
	}
	return msg.Ack()
}

// RejectResult moves away what stands in the place of a result and is none.
func (s *Store) RejectResult(ctx context.Context, id correlation.ID) error {
	m, err := s.get(ctx, subject.Results, query{Last: subject.Result(id)}, Leader)
	if errors.Is(err, errNone) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, reason := ReadResult(m.data); reason != nil {
		return s.reject(ctx, subject.Results, m, reason)
	}
	return nil
}

// RejectStrays moves away what is no calculation and was stored before a time. Adapters do so with what they are delivered; but nobody is
// delivered what belongs to no product. It looks at the oldest only, so it costs one read when there is nothing.
func (s *Store) RejectStrays(ctx context.Context, before time.Time) error {
	next := uint64(1)
	for range strays {
		m, err := s.get(ctx, subject.Calculations, query{Seq: next, First: subject.AllCalculations}, Any)
		if errors.Is(err, errNone) || err == nil && m.time.After(before) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, reason := ReadCalculation(m.subject, m.sequence, m.data); reason != nil {
			if err := s.reject(ctx, subject.Calculations, m, reason); err != nil {
				return err
			}
		}
		next = m.sequence + 1
	}
	return nil
}

// reject stores the message with its bytes, without the last ones should they not fit, and removes it from its stream.
func (s *Store) reject(ctx context.Context, stream string, m *message, reason error) error {
	sequence := fmt.Sprint(m.sequence)
	invalid := &nats.Msg{
		Subject: subject.Invalid(stream), Data: m.data[:min(len(m.data), int(s.nc.MaxPayload())-room)],
		Header: nats.Header{ReasonHeader: {reason.Error()}, OriginHeader: {m.subject}, sequenceHeader: {sequence}},
	}
	if _, err := bus.Publish(ctx, s.nc, invalid, bus.Once(stream+sequence)); err != nil {
		return fmt.Errorf("reject: %w", err)
	}
	if err := s.remove(ctx, stream, m.sequence); err != nil {
		return fmt.Errorf("reject: %w", err)
	}
	return nil
}
