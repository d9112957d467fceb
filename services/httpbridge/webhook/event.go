package webhook

import (
	"encoding/json"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// The types of events.
const (
	Completed = "score.completed" // there is a score
	Failed    = "score.failed"    // the calculation failed
	Cancelled = "score.cancelled" // an operator ended the calculation
	Gone      = "score.gone"      // the calculation ended so long ago that its result is no longer kept
	Test      = "webhook.test"    // asked for by an operator; there is nothing to do
)

const maxBody = 20_000 // bytes of a payload, as Standard Webhooks has it

// event is what a receiver is told, without anything personal.
type event struct {
	Type    string    `json:"type"`
	At      time.Time `json:"at"`
	Status  string    `json:"status"`
	Product string    `json:"product,omitempty"`
}

// eventOf is the event that a result is.
func eventOf(result *scorev1.Answer, now time.Time) event {
	e := event{Type: Completed, At: now, Status: result.GetStatus().String(), Product: result.GetProduct()}
	switch result.GetStatus() {
	case scorev1.Status_FAILED:
		e.Type = Failed
	case scorev1.Status_CANCELLED:
		e.Type = Cancelled
	}
	return e
}

func goneEvent(now time.Time) event {
	return event{Type: Gone, At: now, Status: scorev1.Code_GONE.String()}
}

// payload is the body of a delivery.
type payload struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"` // of the event
	Data      data      `json:"data"`
}

type data struct {
	Endpoint      string          `json:"endpoint,omitempty"` // only with Test
	CorrelationID string          `json:"correlation_id,omitempty"`
	Status        string          `json:"status,omitempty"`
	Product       string          `json:"product,omitempty"`
	Link          string          `json:"link,omitempty"`   // where the result is, to those who may see it
	Answer        json.RawMessage `json:"answer,omitempty"` // only to endpoints that take the full payload
}

// body is the payload of an event. answer is the result, or nil; it is left out when it is too large.
func (e event) body(id correlation.ID, link string, answer *scorev1.Answer) ([]byte, error) {
	p := payload{Type: e.Type, Timestamp: e.At.UTC(), Data: data{
		CorrelationID: id.String(), Status: e.Status, Product: e.Product, Link: link,
	}}
	if answer == nil {
		return json.Marshal(p)
	}
	thin := p
	var err error
	if p.Data.Answer, err = wire.JSON.Marshal(answer); err != nil {
		return nil, err
	}
	full, err := json.Marshal(p)
	if err != nil || len(full) < maxBody {
		return full, err
	}
	return json.Marshal(thin)
}

func testBody(endpoint string, now time.Time) ([]byte, error) {
	return json.Marshal(payload{Type: Test, Timestamp: now.UTC(), Data: data{Endpoint: endpoint}})
}
