package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/score"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// recordKept is how long a record stays after its score's validity, to tell when it was.
const recordKept = 24 * time.Hour

// Record is a record of the bucket. Both views of it are never changed.
type Record struct {
	score.Record
	Doc *scorev1.Record
}

// Record is what the bucket holds for a key; the zero Record when that is nothing.
func (s *Store) Record(ctx context.Context, key correlation.Key, from From) (Record, error) {
	m, err := s.get(ctx, "KV_"+subject.Scores, query{Last: subject.Record(key)}, from)
	if errors.Is(err, errNone) {
		return Record{}, nil
	}
	if err != nil {
		return Record{}, err
	}
	return ReadRecord(m.sequence, m.data), nil
}

// ReadRecord reads a revision of the bucket. The marker of a removal, and what is no record, is a revision without score.
func ReadRecord(revision uint64, data []byte) Record {
	doc := &scorev1.Record{}
	if proto.Unmarshal(data, doc) != nil {
		doc = &scorev1.Record{}
	}
	r := Record{Record: score.Record{Revision: revision}, Doc: doc}
	if id, err := correlation.ParseID(doc.CorrelationId); err == nil && doc.Score != nil {
		r.ID, r.BeganAt = id, at(doc.BeganAt)
		r.CalculatedAt, r.ValidUntil = at(doc.Score.CalculatedAt), at(doc.Score.ValidUntil)
	}
	if id, err := correlation.ParseID(doc.FailedCorrelationId); err == nil && doc.Failure != nil {
		r.FailedID, r.FailedCode, r.FailedUntil = id, doc.Failure.Code, at(doc.FailedUntil)
	}
	return r
}

// Put stores a record, only if the bucket's is at the revision; false when it has changed. Repeated, it may be refused because of its own
// first try.
func (s *Store) Put(ctx context.Context, key correlation.Key, doc *scorev1.Record, revision uint64, now time.Time) (uint64, bool, error) {
	data, err := proto.Marshal(doc)
	if err != nil {
		return 0, false, fmt.Errorf("put record: %w", err)
	}
	keep := max(at(doc.GetScore().GetValidUntil()).Sub(now), at(doc.FailedUntil).Sub(now), 0) + recordKept
	sequence, err := bus.Publish(ctx, s.nc, &nats.Msg{Subject: subject.Record(key), Data: data},
		bus.ExpectLast(revision), bus.KeepFor(keep))
	switch {
	case err == nil:
		return sequence, true, nil
	case errors.Is(err, bus.ErrConflict):
		return 0, false, nil
	}
	return 0, false, fmt.Errorf("put record: %w", err)
}

// WatchRecords calls see for the changes of the bucket from now on, in order, one after the other, until ctx ends: of several of one key the last
// is always seen, those before it perhaps not. It calls reset when it could not watch for a while, so that the marker of a removal may have
// been missed. Now is when it returns.
func (s *Store) WatchRecords(ctx context.Context, see func(correlation.Key, Record), reset func()) error {
	return s.watch(ctx, "KV_"+subject.Scores, func(msg jetstream.Msg) {
		meta, err := msg.Metadata()
		if key, ok := subject.ParseRecord(msg.Subject()); ok && err == nil {
			see(key, ReadRecord(meta.Sequence.Stream, msg.Data()))
		}
	}, reset)
}

// at is a timestamp as a time; an absent one is the zero time.
func at(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}
