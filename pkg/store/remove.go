package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/retry"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

// remove deletes the message at a sequence; it is no error when it is gone.
func (s *Store) remove(ctx context.Context, stream string, sequence uint64) error {
	body := []byte(`{"no_erase":true,"seq":` + strconv.FormatUint(sequence, 10) + `}`)
	if err := s.api(ctx, "$JS.API.STREAM.MSG.DELETE."+stream, body); err != nil {
		return fmt.Errorf("delete message %d of %s: %w", sequence, stream, err)
	}
	return nil
}

// DropTimer removes the deadline of a calculation that has ended, so that it does not wait for hours to find nothing to do.
func (s *Store) DropTimer(ctx context.Context, id correlation.ID) error {
	body, err := json.Marshal(map[string]string{"filter": subject.Timer(id)})
	if err != nil {
		return err
	}
	if err := s.api(ctx, "$JS.API.STREAM.PURGE."+subject.Timers, body); err != nil {
		return fmt.Errorf("drop timer of %s: %w", id, err)
	}
	return nil
}

// api sends a request that changes a stream; one without effect, because what it removes is gone, is no error.
func (s *Store) api(ctx context.Context, to string, body []byte) error {
	return retry.Do(ctx, retry.Broker, func() error {
		reply, err := s.nc.Request(to, body, attempt)
		if err != nil {
			return err
		}
		var r struct {
			Error *jetstream.APIError `json:"error"`
		}
		if err := json.Unmarshal(reply.Data, &r); err != nil {
			return fmt.Errorf("an answer that is not JSON: %w", err)
		}
		if r.Error == nil {
			return nil
		}
		switch r.Error.ErrorCode {
		case jetstream.JSErrCodeMessageNotFound, sequenceNotFound, deleteFailed:
			return nil
		}
		return r.Error
	})
}

// The error codes of a deletion that finds nothing; see server/errors.json of nats-server.
const (
	sequenceNotFound = 10043 // of a message between others that was deleted
	// deleteFailed is the general one for a message that could not be deleted; that it is gone is by far the likeliest reason, and else the
	// release is repeated by whoever finds the calculation overdue.
	deleteFailed = 10057
)
