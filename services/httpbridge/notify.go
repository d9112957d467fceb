package httpbridge

import (
	"context"
	"net/http"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Notifier has results told to endpoints that others registered. Its errors are *fault.Error.
type Notifier interface {
	// Known says whether there is such an endpoint.
	Known(ctx context.Context, endpoint string) error
	// Register has the result of a calculation told to an endpoint, at once if it is there already. When it returns, that is durable.
	Register(ctx context.Context, endpoint string, id correlation.ID) error
}

func (s *Service) known(r *http.Request, endpoint string) error {
	if s.cfg.Notifier == nil {
		return fault.Invalid("notify", "this bridge sends no webhooks")
	}
	ctx, done := s.link.context(r)
	defer done()
	return s.cfg.Notifier.Known(ctx, endpoint)
}

func (s *Service) register(r *http.Request, endpoint, correlationID string) error {
	id, err := correlation.ParseID(correlationID)
	if err != nil {
		return fault.New(scorev1.Code_INTERNAL, "the gateway's correlation ID is none")
	}
	ctx, done := s.link.context(r)
	defer done()
	return s.cfg.Notifier.Register(ctx, endpoint, id)
}
