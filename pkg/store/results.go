package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Commit stores the result of a calculation and has it announced, only if it has none; false when it has one, perhaps this one. It is JSON,
// for everyone who listens.
func (s *Store) Commit(ctx context.Context, id correlation.ID, result *scorev1.Answer) (bool, error) {
	msg, err := wire.JSON.Message(subject.Commit(id), result)
	if err != nil {
		return false, fmt.Errorf("commit result of %s: %w", id, err)
	}
	_, err = bus.Publish(ctx, s.nc, msg, bus.ExpectLast(0))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, bus.ErrConflict):
		return false, nil
	}
	return false, fmt.Errorf("commit result of %s: %w", id, err)
}

// Result is the result of a calculation; nil when there is none, or something else in its place.
func (s *Store) Result(ctx context.Context, id correlation.ID, from From) (*scorev1.Answer, error) {
	m, err := s.get(ctx, subject.Results, query{Last: subject.Result(id)}, from)
	if errors.Is(err, errNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	result, err := ReadResult(m.data)
	if err != nil { // none of ours; who needs the place for the real one moves it away
		return nil, nil
	}
	return result, nil
}

// ReadResult reads a result document.
func ReadResult(data []byte) (*scorev1.Answer, error) {
	result := &scorev1.Answer{}
	if err := wire.ReadReply(&nats.Msg{Data: data}, result); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	return result, nil
}

// WatchResults calls see for every result that is committed from now on, one after the other, until ctx ends. None is missed, whatever
// happens to the connection; now is when it returns.
func (s *Store) WatchResults(ctx context.Context, see func(id correlation.ID, data []byte)) error {
	return s.watch(ctx, subject.Results, func(msg jetstream.Msg) {
		if id, ok := subject.ParseID(msg.Subject()); ok {
			see(id, msg.Data())
		}
	}, func() {})
}
