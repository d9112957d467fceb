package httpbridge

import (
	"cmp"
	"context"
	"fmt"
	"net/http"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
	"github.com/scoreflow/scoreflow/services/httpbridge/webhook"
)

// openWebhooks opens what is needed to tell endpoints by HTTP, if that is wanted.
func (s *Service) openWebhooks(ctx context.Context, nc *nats.Conn) (err error) {
	if s.cfg.Webhooks == nil {
		return nil
	}
	cfg := *s.cfg.Webhooks
	cfg.PublicURL = cmp.Or(cfg.PublicURL, s.cfg.PublicURL)
	cfg.Attempted = s.metrics.delivered
	if s.webhooks, err = webhook.New(ctx, cfg, nc, s.log.Named("webhooks")); err != nil {
		return fmt.Errorf("webhooks: %w", err)
	}
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

// known says whether an endpoint can be notified.
func (s *Service) known(r *http.Request, endpoint string) error {
	if s.webhooks == nil {
		return fault.Invalid("notify", "this bridge sends no webhooks")
	}
	ctx, done := s.link.context(r)
	defer done()
	return s.webhooks.Known(ctx, endpoint)
}

// register has an endpoint notified of what comes of an answer.
func (s *Service) register(r *http.Request, endpoint string, a *scorev1.Answer) error {
	ctx, done := s.link.context(r)
	defer done()
	return s.webhooks.Register(ctx, endpoint, a)
}
