package webhook

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// notify is the field of a request that names an endpoint.
const notify = "notify"

// Known checks that there is an endpoint that may be registered; a *fault.Error that names the field says why it may not.
func (s *Service) Known(ctx context.Context, name string) error {
	e, _, err := s.endpoints.get(ctx, name)
	switch {
	case errors.Is(err, errNone):
		return fault.Invalid(notify, "there is no webhook endpoint of this name")
	case err != nil:
		return err
	case e.State == disabled:
		return fault.Invalid(notify, "the webhook endpoint is disabled: %s", e.Reason)
	}
	return nil
}

// Register has an endpoint told what comes of the calculation of an answer, at once when the answer is final: its score may be valid for longer
// than results are kept. When it returns nil that is durable. It may be repeated: an endpoint is told of a calculation once.
func (s *Service) Register(ctx context.Context, name string, answer *scorev1.Answer) error {
	if !endpointName.MatchString(name) {
		return fault.Invalid(notify, "there is no webhook endpoint of this name")
	}
	id, err := correlation.ParseID(answer.GetCorrelationId())
	if err != nil {
		return fmt.Errorf("register %s: %w", name, err)
	}
	now := time.Now()
	d := newDelivery(name, id, now)
	switch answer.GetStatus() {
	case scorev1.Status_READY, scorev1.Status_FAILED, scorev1.Status_CANCELLED:
		d.know(eventOf(answer, now), now)
	}
	if _, err := s.deliveries.put(ctx, name, id, d, 0); err != nil { // false when it is there: its hint may be missing, the caller comes again
		return fmt.Errorf("register %s: %w", name, err)
	}
	return s.deliveries.hint(ctx, name, id)
}

// see makes a result known to the deliveries that wait for it.
func (s *Service) see(ctx context.Context, msg jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, s.patience())
	defer cancel()
	id, ok := subject.ParseID(msg.Subject())
	if ok {
		if err := s.seeResult(ctx, id, msg.Data()); err != nil {
			s.log.Warn("a result is not told to webhooks yet", zap.Stringer("correlation_id", id), zap.Error(err))
			return // redelivered after AckWait
		}
	}
	if err := msg.Ack(); err != nil {
		s.log.Warn("a result told to webhooks is not acknowledged", zap.Error(err))
	}
}

func (s *Service) seeResult(ctx context.Context, id correlation.ID, data []byte) error {
	names, err := s.store.WebhooksOf(ctx, id)
	if err != nil || len(names) == 0 {
		return err
	}
	result, err := store.ReadResult(data)
	if err != nil {
		s.log.Error("a result cannot be read", zap.Stringer("correlation_id", id), zap.Error(err))
		return nil // nobody else will be able to
	}
	now := time.Now()
	for _, name := range names {
		_, err := s.deliveries.update(ctx, name, id, func(d *delivery) bool {
			if d.State != waiting {
				return false
			}
			d.know(eventOf(result, now), now)
			return true
		})
		if errors.Is(err, errNone) { // the endpoint is gone
			continue
		}
		if err != nil {
			return err
		}
		if err := s.deliveries.hint(ctx, name, id); err != nil {
			return err
		}
	}
	return nil
}
