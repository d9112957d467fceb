package webhook

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/scoreflow/scoreflow/pkg/fault"
)

// deliveryView is a delivery as the API tells it.
type deliveryView struct {
	ID            string        `json:"id"`
	CorrelationID string        `json:"correlation_id"`
	State         string        `json:"state"`
	Type          string        `json:"type,omitempty"`
	Product       string        `json:"product,omitempty"`
	RegisteredAt  time.Time     `json:"registered_at"`
	EventAt       time.Time     `json:"event_at,omitzero"`
	NextAt        time.Time     `json:"next_at,omitzero"`
	Attempts      []attemptView `json:"attempts"`
}

type attemptView struct {
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	Status  int       `json:"status,omitempty"`
	Outcome string    `json:"outcome"` // delivered, started, or why not
}

func viewAttempt(a attempt) attemptView {
	v := attemptView{At: a.At.UTC(), Seconds: a.Took.Seconds(), Status: a.Status, Outcome: or(a.Problem, delivered)}
	if !a.Ended {
		v.Outcome = "started"
	}
	return v
}

func viewDelivery(at *stored) deliveryView {
	v := deliveryView{
		ID: at.ID, CorrelationID: at.of.String(), State: at.State, Type: at.Event.Type, Product: at.Event.Product,
		RegisteredAt: at.RegisteredAt.UTC(), EventAt: at.Event.At.UTC(), Attempts: []attemptView{},
	}
	if at.State == pending {
		v.NextAt = at.NextAt.UTC()
	}
	for _, a := range at.Attempts {
		v.Attempts = append(v.Attempts, viewAttempt(a))
	}
	return v
}

const (
	pageDefault = 100  // deliveries
	pageMost    = 1000 // deliveries in a page, and looked at for one
)

// page says which part of the log is asked for.
type page struct {
	after uint64 // revision
	limit int
	state string // empty = any
}

func readPage(q url.Values) (p page, err error) {
	for name := range q {
		if name != "after" && name != "limit" && name != "state" {
			return p, fault.Invalid(name, "there is no such parameter")
		}
	}
	if v := q.Get("after"); v != "" {
		if p.after, err = strconv.ParseUint(v, 10, 63); err != nil {
			return p, fault.Invalid("after", "it is not what `next` of another page said")
		}
	}
	p.limit = pageDefault
	if v := q.Get("limit"); v != "" {
		if p.limit, err = strconv.Atoi(v); err != nil || p.limit < 1 || p.limit > pageMost {
			return p, fault.Invalid("limit", "it is not a number from 1 to %d", pageMost)
		}
	}
	switch p.state = q.Get("state"); p.state {
	case "", waiting, pending, delivered, failed:
		return p, nil
	}
	return p, fault.Invalid("state", "it is none of %s, %s, %s, %s", waiting, pending, delivered, failed)
}

// getDeliveries tells the log of an endpoint in the order of the last changes, a page at a time.
func (s *Service) getDeliveries(ctx context.Context, c call) (answer, error) {
	id := c.id
	p, err := readPage(c.query)
	if err != nil {
		return answer{}, err
	}
	if _, _, err := s.endpoints.get(ctx, id); err != nil {
		return answer{}, err
	}
	views := []deliveryView{}
	var next string
	for looked := 0; ; looked++ {
		if len(views) == p.limit || looked == pageMost {
			next = strconv.FormatUint(p.after, 10)
			break
		}
		at, err := s.deliveries.after(ctx, id, p.after)
		if errors.Is(err, errNone) {
			break
		}
		if err != nil {
			return answer{}, err
		}
		p.after = at.revision
		if p.state == "" || p.state == at.State {
			views = append(views, viewDelivery(at))
		}
	}
	return answer{body: struct {
		Deliveries []deliveryView `json:"deliveries"`
		Next       string         `json:"next,omitempty"` // there may be more after it
	}{views, next}}, nil
}

// newReplay is the body of a request for a replay.
type newReplay struct {
	Since      string `json:"since"`       // of the event, RFC 3339
	FailedOnly bool   `json:"failed_only"` // not those that were delivered
}

func (s *Service) postReplay(ctx context.Context, c call) (answer, error) {
	var in newReplay
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	since, err := time.Parse(time.RFC3339, in.Since)
	if err != nil {
		return answer{}, fault.Invalid("since", "it is not a time like 2006-01-02T15:04:05Z")
	}
	e, _, err := s.endpoints.get(ctx, c.id)
	if err != nil {
		return answer{}, err
	}
	n, err := s.replay(ctx, e.ID, since, in.FailedOnly)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusAccepted, body: map[string]int{"replayed": n}}, nil
}
