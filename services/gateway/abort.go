package gateway

import (
	"cmp"
	"context"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/store"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// abortWait is how long an operator waits for the end of what was aborted.
const abortWait = 10 * time.Second

// abort ends a calculation as CANCELLED, if it has not ended: it completes it, and waits until that is settled.
func (s *Service) abort(ctx context.Context, req *bus.Request) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	in := &scorev1.AbortRequest{}
	id, err := readAbort(req, in)
	if err == nil {
		err = s.cancel(ctx, id, in.Reason)
	}
	if err == nil {
		fetch := &scorev1.FetchScoreRequest{Wait: durationpb.New(abortWait)}
		err = s.fetchResult(ctx, req, fetch, id)
	}
	if err != nil {
		req.Fail(err)
	}
}

func readAbort(req *bus.Request, in *scorev1.AbortRequest) (correlation.ID, error) {
	if err := req.Decode(in); err != nil {
		return correlation.ID{}, err
	}
	if len(in.Reason) > maxReference {
		return correlation.ID{}, fault.Invalid("reason", "it has %d bytes; at most %d are allowed", len(in.Reason), maxReference)
	}
	id, err := correlation.ParseID(in.CorrelationId)
	if err != nil {
		return id, fault.Invalid("correlation_id", "it is not a correlation ID: that is a UUID of version 8 in lower case")
	}
	return id, nil
}

// cancel completes the calculation, if it is there and nothing has completed it before.
func (s *Service) cancel(ctx context.Context, id correlation.ID, reason string) error {
	c, _, err := s.store.Find(ctx, id, store.Leader)
	if err != nil || c == nil {
		return err
	}
	stored, err := s.store.Complete(ctx, id, &scorev1.Completion{
		CorrelationId: id.String(), Key: c.Key.String(), Sequence: c.Sequence, Calculation: c.Calculation,
		End: &scorev1.Completion_Cancelled{Cancelled: &scorev1.Failure{Message: cmp.Or(reason, "aborted by an operator")}},
	})
	if err == nil && stored {
		s.log.Info("aborted", zap.Stringer("correlation_id", id))
	}
	return err
}
