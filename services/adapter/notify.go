package adapter

import (
	"context"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/score"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// patience is how long a notification goes on trying to be stored before it is told UNAVAILABLE and the backend has to repeat it.
const patience = 12 * time.Second

// notify takes in a notification over NATS.
func (s *Service) notify(ctx context.Context, req *bus.Request) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	in := &scorev1.NotifyRequest{}
	err := req.Decode(in)
	var out *scorev1.NotifyResponse
	if err == nil {
		out, err = s.take(ctx, in)
	}
	if err != nil {
		req.Fail(err)
		return
	}
	req.Answer(out)
}

// take stores what a backend reports; when it returns without error, the report is durable. What it means, should the calculation have ended
// meanwhile, is for the correlator to tell.
func (s *Service) take(ctx context.Context, in *scorev1.NotifyRequest) (*scorev1.NotifyResponse, error) {
	id, err := correlation.ParseID(in.CorrelationId)
	if err != nil {
		return nil, fault.Invalid("correlation_id", "it is not a correlation ID: that is a UUID of version 8 in lower case")
	}
	if in.Token == "" {
		return nil, &fault.Error{Code: scorev1.Code_UNAUTHENTICATED, Field: "token", Message: "it is required"}
	}
	at, ok := s.tokens.open(id, in.Token)
	if !ok {
		s.log.Warn("a notification was refused", zap.Stringer("correlation_id", id))
		return nil, &fault.Error{Code: scorev1.Code_PERMISSION_DENIED, Field: "token", Message: "it is not the token of this correlation ID"}
	}
	score.NormalizeReport(in.Report)
	if err := score.ValidateReport(in.Report); err != nil {
		return nil, err
	}
	c, err := s.store.Calculation(ctx, at.sequence)
	if err != nil {
		return nil, err
	}
	done := &scorev1.Completion{
		CorrelationId: in.CorrelationId, Key: at.key.String(), Sequence: at.sequence, BeganAt: timestamppb.New(at.called),
		End: &scorev1.Completion_Report{Report: in.Report},
	}
	if c != nil && c.ID == id {
		done.Calculation = c.Calculation
	}
	same, err := s.complete(ctx, id, done)
	if err != nil {
		return nil, err
	}
	return &scorev1.NotifyResponse{CorrelationId: in.CorrelationId, Duplicate: same}, nil
}
