package webhook

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/scoreflow/scoreflow/pkg/fault"
)

// endpointView is an endpoint as the API tells it.
type endpointView struct {
	ID        string       `json:"id"`
	URL       string       `json:"url"`
	Payload   string       `json:"payload"`
	State     string       `json:"state"`
	Reason    string       `json:"reason,omitempty"`
	NotBefore time.Time    `json:"not_before,omitzero"`
	CreatedAt time.Time    `json:"created_at"`
	Secret    string       `json:"secret,omitempty"` // only when it is new
	PublicKey string       `json:"public_key"`
	Secrets   []secretView `json:"secrets"` // that sign now, the newest first
}

type secretView struct {
	CreatedAt  time.Time `json:"created_at"`
	ValidUntil time.Time `json:"valid_until,omitzero"`
	PublicKey  string    `json:"public_key"`
}

// view is an endpoint without its secrets.
func view(e *endpoint) endpointView {
	now := time.Now()
	v := endpointView{
		ID: e.ID, URL: e.URL, Payload: e.Payload, State: e.State, Reason: e.Reason, CreatedAt: e.CreatedAt.UTC(),
		PublicKey: e.Secrets[0].public(), Secrets: []secretView{},
	}
	if now.Before(e.NotBefore) {
		v.NotBefore = e.NotBefore.UTC()
	}
	for _, s := range e.Secrets {
		if s.valid(now) {
			v.Secrets = append(v.Secrets, secretView{s.CreatedAt.UTC(), s.ValidUntil.UTC(), s.public()})
		}
	}
	return v
}

// viewWithSecret is an endpoint with its newest secret, to be told once.
func viewWithSecret(e *endpoint) endpointView {
	v := view(e)
	v.Secret = e.Secrets[0].Symmetric
	return v
}

func viewed(e *endpoint, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return answer{body: view(e)}, nil
}

func (s *Service) getEndpoints(ctx context.Context, _ call) (answer, error) {
	all, err := s.endpoints.list(ctx)
	if err != nil {
		return answer{}, err
	}
	views := make([]endpointView, len(all))
	for i, e := range all {
		views[i] = view(e)
	}
	return answer{body: map[string]any{"endpoints": views}}, nil
}

func (s *Service) getEndpoint(ctx context.Context, c call) (answer, error) {
	e, _, err := s.endpoints.get(ctx, c.id)
	return viewed(e, err)
}

// newEndpoint is the body of a request for a new endpoint.
type newEndpoint struct {
	ID      string `json:"id"`
	URL     string `json:"url"`
	Payload string `json:"payload"`
}

func (s *Service) postEndpoint(ctx context.Context, c call) (answer, error) {
	var in newEndpoint
	if err := c.body(&in); err != nil {
		return answer{}, err
	}
	in.Payload = or(in.Payload, Thin)
	if !endpointName.MatchString(in.ID) {
		return answer{}, fault.Invalid("id", "it is not a name of lower-case letters, digits and hyphens, at most 32")
	}
	if err := s.cfg.checkURL(in.URL); err != nil {
		return answer{}, err
	}
	if err := checkPayload(in.Payload); err != nil {
		return answer{}, err
	}
	e, err := s.create(ctx, in.ID, in.URL, in.Payload, "")
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusCreated, location: root + "/" + e.ID, body: viewWithSecret(e)}, nil
}

func (s *Service) deleteEndpoint(ctx context.Context, c call) (answer, error) {
	return answer{status: http.StatusNoContent}, s.endpoints.drop(ctx, c.id)
}

func (s *Service) postRotate(ctx context.Context, c call) (answer, error) {
	e, err := s.rotate(ctx, c.id)
	if err != nil {
		return answer{}, err
	}
	return answer{body: viewWithSecret(e)}, nil
}

func (s *Service) postPause(ctx context.Context, c call) (answer, error) {
	return viewed(s.pause(ctx, c.id))
}

func (s *Service) postResume(ctx context.Context, c call) (answer, error) {
	return viewed(s.resume(ctx, c.id))
}

// postTest makes one attempt with an event that means nothing, whatever the endpoint's state, and tells how it ended.
func (s *Service) postTest(ctx context.Context, c call) (answer, error) {
	e, _, err := s.endpoints.get(ctx, c.id)
	if err != nil {
		return answer{}, err
	}
	now := time.Now()
	body, err := testBody(e.ID, now)
	if err != nil {
		return answer{}, err
	}
	id := "msg_" + strings.ToLower(rand.Text())
	o := s.send(ctx, e, id, body)
	return answer{body: testView{ID: id, attemptView: viewAttempt(attempt{now, o.took, o.status, o.problem, true})}}, nil
}

type testView struct {
	ID string `json:"id"`
	attemptView
}
