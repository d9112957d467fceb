package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// create stores a new endpoint with the secret given, or a new one.
func (s *Service) create(ctx context.Context, id, url, payload, symmetric string) (*endpoint, error) {
	now := time.Now()
	first, err := newSecret(symmetric, now)
	if err != nil {
		return nil, err
	}
	e := &endpoint{ID: id, URL: url, Payload: payload, State: active, CreatedAt: now, Secrets: []secret{first}}
	all, err := s.endpoints.list(ctx)
	if err != nil {
		return nil, err
	}
	if len(all) >= s.cfg.MaxEndpoints {
		return nil, fault.New(scorev1.Code_CONFLICT, "there are %d endpoints already, as many as are allowed", len(all))
	}
	return e, s.endpoints.create(ctx, e)
}

// configure stores an endpoint of the configuration. Whether it is paused or disabled stays as it is.
func (s *Service) configure(ctx context.Context, want Static) error {
	now := time.Now()
	next, err := newSecret(want.Secret, now)
	if err != nil {
		return err
	}
	for {
		_, err = s.endpoints.update(ctx, want.ID, func(e *endpoint) bool {
			changes := e.URL != want.URL || e.Payload != want.Payload
			e.URL, e.Payload = want.URL, want.Payload
			if !e.has(want.Secret) {
				e.rotate(next, now, s.cfg.Overlap)
				changes = true
			}
			return changes
		})
		if !errors.Is(err, errNone) {
			return err
		}
		_, err = s.create(ctx, want.ID, want.URL, want.Payload, want.Secret)
		if !errors.Is(err, errExists) { // another bridge was faster
			return err
		}
	}
}

// rotate gives an endpoint a new secret.
func (s *Service) rotate(ctx context.Context, id string) (*endpoint, error) {
	now := time.Now()
	next, err := newSecret("", now)
	if err != nil {
		return nil, err
	}
	return s.endpoints.update(ctx, id, func(e *endpoint) bool {
		e.rotate(next, now, s.cfg.Overlap)
		return true
	})
}

// pause lets deliveries to an endpoint wait.
func (s *Service) pause(ctx context.Context, id string) (*endpoint, error) {
	return s.endpoints.update(ctx, id, func(e *endpoint) bool {
		if e.State != active { // who has disabled it knows better
			return false
		}
		e.State = paused
		return true
	})
}

// resume lets deliveries to an endpoint go on, whatever held them up.
func (s *Service) resume(ctx context.Context, id string) (*endpoint, error) {
	return s.endpoints.update(ctx, id, func(e *endpoint) bool {
		changes := e.State != active || !e.NotBefore.IsZero()
		e.State, e.Reason, e.NotBefore = active, "", time.Time{}
		return changes
	})
}

// disable ends deliveries to an endpoint that answered that it is gone.
func (s *Service) disable(ctx context.Context, id string) error {
	_, err := s.endpoints.update(ctx, id, func(e *endpoint) bool {
		if e.State == disabled {
			return false
		}
		e.State, e.Reason = disabled, "it answered 410 Gone"
		return true
	})
	return ignoreNone(err)
}

// leaveAlone holds back deliveries to an endpoint for a while.
func (s *Service) leaveAlone(ctx context.Context, id string, until time.Time) error {
	const enough = time.Second // many attempts are told the same
	_, err := s.endpoints.update(ctx, id, func(e *endpoint) bool {
		if until.Before(e.NotBefore.Add(enough)) {
			return false
		}
		e.NotBefore = until
		return true
	})
	return ignoreNone(err)
}

// replay takes up again the deliveries to an endpoint of events since a time that have ended: those that failed, and those delivered too
// unless failedOnly. Repeated, it leaves alone what is under way again.
func (s *Service) replay(ctx context.Context, id string, since time.Time, failedOnly bool) (n int, err error) {
	last, err := s.deliveries.last(ctx) // what changes from here on changes because of this
	if err != nil {
		return 0, err
	}
	for next := uint64(0); ; {
		at, err := s.deliveries.after(ctx, id, next)
		if errors.Is(err, errNone) || err == nil && at.revision > last {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		next = at.revision
		if at.Event.At.Before(since) || !at.ended() || at.State == delivered && failedOnly {
			continue
		}
		now := time.Now()
		_, err = s.deliveries.update(ctx, id, at.of, func(d *delivery) bool {
			if !d.ended() {
				return false
			}
			d.again(now)
			return true
		})
		if err == nil {
			err = s.deliveries.hint(ctx, id, at.of)
		}
		if ignoreNone(err) != nil {
			return n, err
		}
		n++
	}
}

func ignoreNone(err error) error {
	if errors.Is(err, errNone) {
		return nil
	}
	return err
}
