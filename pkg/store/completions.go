package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Complete stores what came of a calculation, to be settled; false when a completion waits there already, perhaps this one.
func (s *Store) Complete(ctx context.Context, id correlation.ID, c *scorev1.Completion) (bool, error) {
	data, err := proto.Marshal(c)
	if err != nil {
		return false, fmt.Errorf("complete %s: %w", id, err)
	}
	_, err = bus.Publish(ctx, s.nc, &nats.Msg{Subject: subject.Completion(id), Data: data}, bus.ExpectLast(0))
	switch {
	case err == nil:
		return true, nil
	case errors.Is(err, bus.ErrConflict):
		return false, nil
	}
	return false, fmt.Errorf("complete %s: %w", id, err)
}

// Completion is the completion that waits to be settled, asked from the leader; nil when there is none, or something else in its place.
func (s *Store) Completion(ctx context.Context, id correlation.ID) (*scorev1.Completion, error) {
	m, err := s.get(ctx, subject.Completions, query{Last: subject.Completion(id)}, Leader)
	if errors.Is(err, errNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	_, c, err := ReadCompletion(m.subject, m.data)
	if err != nil { // none of ours; the consumer moves it away
		return nil, nil
	}
	return c, nil
}

// ReadCompletion reads a message of the COMPLETIONS stream. One that was not written by a service of ours is an error.
func ReadCompletion(subj string, data []byte) (correlation.ID, *scorev1.Completion, error) {
	id, ok := subject.ParseID(subj)
	if !ok {
		return correlation.ID{}, nil, errors.New("its subject is not that of a completion")
	}
	c := &scorev1.Completion{}
	if err := proto.Unmarshal(data, c); err != nil {
		return id, nil, errors.New("it is not a completion")
	}
	key, ok := correlation.ParseKey(c.Key)
	if !ok || key.Slot != id.Slot() || c.CorrelationId != id.String() || c.Sequence == 0 {
		return id, nil, errors.New("it does not belong to its correlation ID")
	}
	switch end := c.End.(type) {
	case *scorev1.Completion_Report:
		if end.Report.GetResult() != nil {
			return id, c, nil
		}
	case *scorev1.Completion_Reused:
		if end.Reused.GetScore() != nil {
			return id, c, nil
		}
	case *scorev1.Completion_Failed, *scorev1.Completion_Cancelled:
		return id, c, nil
	}
	return id, nil, errors.New("it has no end")
}

// Settled says whether a calculation has a completion or a result, asked from the leaders.
func (s *Store) Settled(ctx context.Context, id correlation.ID) (bool, error) {
	// In this order: a completion is removed only after its result is stored.
	if c, err := s.Completion(ctx, id); err != nil || c != nil {
		return c != nil, err
	}
	r, err := s.Result(ctx, id, Leader)
	return r != nil, err
}
