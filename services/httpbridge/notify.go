package httpbridge

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
	"github.com/scoreflow/scoreflow/services/httpbridge/webhook"
)

// Notifier has results told to endpoints that others registered. Its errors are *fault.Error.
type Notifier interface {
	// Known says whether there is such an endpoint.
	Known(ctx context.Context, endpoint string) error
	// Register has the result of a calculation told to an endpoint, at once if it is there already. When it returns, that is durable.
	Register(ctx context.Context, endpoint string, id correlation.ID) error
}

// openWebhooks opens what is needed to tell endpoints by HTTP, if that is wanted.
func (s *Service) openWebhooks(ctx context.Context, nc *nats.Conn) (err error) {
	if s.cfg.Webhooks == nil {
		return nil
	}
	cfg := *s.cfg.Webhooks
	cfg.PublicURL = cmp.Or(cfg.PublicURL, s.cfg.PublicURL)
	if s.webhooks, err = webhook.New(ctx, cfg, nc, s.log.Named("webhooks")); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
	s.cfg.Notifier = s.webhooks
	return nil
}

// tell delivers webhooks until ctx ends.
func (s *Service) tell(ctx context.Context) {
	if s.webhooks == nil {
		return
	}
	if err := s.webhooks.Run(ctx); err != nil {
		s.log.Error("webhooks are no longer delivered", zap.Error(err))
	}
}

func (s *Service) known(r *http.Request, endpoint string) error {
	if s.cfg.Notifier == nil {
		return fault.Invalid("notify", "this bridge sends no webhooks")
	}
	ctx, done := s.link.context(r)
	defer done()
	return s.cfg.Notifier.Known(ctx, endpoint)
}

func (s *Service) register(r *http.Request, endpoint string, a *scorev1.Answer) error {
	id, err := correlation.ParseID(a.CorrelationId)
	if err != nil {
		return fault.New(scorev1.Code_INTERNAL, "the gateway's correlation ID is none")
	}
	ctx, done := s.link.context(r)
	defer done()
	if s.webhooks != nil { // a score may be valid for longer than its result is kept
		return s.webhooks.RegisterAnswer(ctx, endpoint, a)
	}
	return s.cfg.Notifier.Register(ctx, endpoint, id)
}
