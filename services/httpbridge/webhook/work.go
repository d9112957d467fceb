package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const (
	overdue    = time.Minute     // after its deadline a calculation is looked at again: it should have ended by then
	lookAgain  = 5 * time.Second // when there is neither a result nor a calculation
	believed   = time.Minute     // after the registration it is believed that there is none
	pausedLook = time.Second     // after which a hint comes back that came while its endpoint was paused; meanwhile nobody asks for it
)

// work follows a hint. sending ends when attempts under way are to be cut off.
func (s *Service) work(ctx, sending context.Context, name string, msg jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, s.patience())
	defer cancel()
	_, id, ok := subject.ParseWebhook(msg.Subject())
	if !ok {
		_ = msg.Term() // nobody of ours wrote it
		return
	}
	back, err := s.advance(ctx, sending, name, id)
	if err == nil && back > 0 {
		err = msg.NakWithDelay(back)
	} else if err == nil {
		err = msg.Ack()
	}
	if err != nil { // redelivered after AckWait
		s.log.Warn("a delivery does not advance", zap.String("endpoint", name), zap.Stringer("correlation_id", id), zap.Error(err))
	}
}

// advance does for a delivery what is to be done now. When it returns an amount of time, the hint is to come back after it.
func (s *Service) advance(ctx, sending context.Context, name string, id correlation.ID) (back time.Duration, err error) {
	e, _, err := s.endpoints.get(ctx, name)
	if errors.Is(err, errNone) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if e.State != active {
		return pausedLook, nil
	}
	for {
		d, revision, err := s.deliveries.get(ctx, name, id)
		if errors.Is(err, errNone) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		now := time.Now()
		step, at := d.step(now, s.cfg.AckWait)
		switch {
		case step == rest:
			return 0, nil
		case step == stand:
			return max(at.Sub(now), time.Millisecond), nil
		case step == later:
			return 0, s.deliveries.remind(ctx, name, id, at)
		case step == look:
			if at, err = s.look(ctx, d, id, now); err != nil {
				return 0, err
			}
			if d.State == waiting {
				return 0, s.deliveries.remind(ctx, name, id, at)
			}
		}
		if now.Before(e.NotBefore) {
			return 0, s.holdBack(ctx, name, id, d, revision, e.NotBefore.Sub(now))
		}
		d.begin(now)
		ok, err := s.deliveries.put(ctx, name, id, d, revision)
		if err != nil {
			return 0, err
		}
		if ok {
			return s.attempt(ctx, sending, e, id, d)
		}
	}
}

// look makes the result known to a delivery that waits for it; else it says when to look again. A calculation goes only after its result is
// there, so the result is looked for before and after. Neither is there when the calculation ended so long ago that its result
// is no longer kept; that is believed late, for it cannot be taken back.
func (s *Service) look(ctx context.Context, d *delivery, id correlation.ID, now time.Time) (again time.Time, err error) {
	result, err := s.store.Result(ctx, id, store.Leader)
	if err != nil {
		return again, err
	}
	if result == nil {
		calculation, _, err := s.store.Find(ctx, id, store.Leader)
		if err != nil {
			return again, err
		}
		if calculation != nil {
			deadline := calculation.Deadline.AsTime()
			if deadline.Before(now) {
				deadline = now
			}
			return deadline.Add(overdue), nil
		}
		if result, err = s.store.Result(ctx, id, store.Leader); err != nil {
			return again, err
		}
	}
	switch {
	case result != nil:
		d.know(eventOf(result, now), now)
	case now.Sub(d.RegisteredAt) < believed:
		return now.Add(lookAgain), nil
	default:
		d.know(goneEvent(now), now)
	}
	return again, nil
}

// holdBack puts off a delivery to an endpoint that asked to be left alone; not all of them come back together.
func (s *Service) holdBack(ctx context.Context, name string, id correlation.ID, d *delivery, revision uint64, wait time.Duration) error {
	if _, err := s.deliveries.put(ctx, name, id, d, revision); err != nil { // keeps what look has found
		return err
	}
	return s.deliveries.remind(ctx, name, id, time.Now().Add(s.cfg.Policy.spread(wait)))
}

// attempt makes the attempt that was stored as begun, and stores how it ended.
func (s *Service) attempt(ctx, sending context.Context, e *endpoint, id correlation.ID, d *delivery) (back time.Duration, err error) {
	began := d.Attempts[len(d.Attempts)-1].At
	body, err := s.body(ctx, e, id, d)
	if err != nil {
		return 0, err
	}
	o := s.send(sending, e, d.ID, body)
	d, err = s.deliveries.update(ctx, e.ID, id, func(d *delivery) bool {
		d.end(began, o, s.cfg.Policy, time.Now())
		return true
	})
	if errors.Is(err, errNone) { // the endpoint was deleted meanwhile
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	s.report(e, id, d, o)
	s.cfg.Attempted(or(o.problem, delivered))
	switch {
	case o.gone():
		return pausedLook, s.disable(ctx, e.ID)
	case o.problem == interrupted && d.State == pending:
		return time.Millisecond, nil
	case o.overloaded():
		if err := s.leaveAlone(ctx, e.ID, time.Now().Add(s.cfg.Policy.hold(o.retryAfter))); err != nil {
			return 0, err
		}
	}
	if d.State == pending {
		return 0, s.deliveries.remind(ctx, e.ID, id, d.NextAt)
	}
	return 0, nil
}

// body is what an endpoint is told: the result too where it wants it, as long as that is kept. It is not kept a second time here.
func (s *Service) body(ctx context.Context, e *endpoint, id correlation.ID, d *delivery) ([]byte, error) {
	var answer *scorev1.Answer
	if e.Payload == Full {
		var err error
		if answer, err = s.store.Result(ctx, id, store.Leader); err != nil {
			return nil, err
		}
	}
	return d.Event.body(id, s.cfg.PublicURL+"/v1/score-requests/"+id.String()+"/result", answer)
}

// report logs how an attempt ended. URLs are left out: receivers put secrets into them.
func (s *Service) report(e *endpoint, id correlation.ID, d *delivery, o outcome) {
	fields := []zap.Field{
		zap.String("endpoint", e.ID), zap.Stringer("correlation_id", id), zap.String("delivery_id", d.ID),
		zap.Int("attempts", len(d.Attempts)), zap.Int("status", o.status), zap.String("problem", o.problem), zap.Duration("took", o.took),
	}
	switch {
	case d.State == failed:
		s.log.Warn("a webhook is given up", fields...)
	case o.ok():
		s.log.Debug("a webhook is delivered", fields...)
	default:
		s.log.Info("a webhook is not delivered yet", fields...)
	}
}
