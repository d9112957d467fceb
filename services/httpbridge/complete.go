package httpbridge

import (
	"net/http"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// complete takes in what a backend reports. It is stored when the backend is answered.
func (s *Service) complete(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	token, ok := bearer(r)
	if !ok {
		return &fault.Error{Code: scorev1.Code_UNAUTHENTICATED, Field: "Authorization", Message: "it must be Bearer and the token of the calculation"}
	}
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	in := &scorev1.NotifyRequest{CorrelationId: id.String(), Token: token, Report: &scorev1.Report{}}
	if err := wire.JSON.Unmarshal(body, in.Report); err != nil {
		return err
	}
	out, err := s.client.Notify(s.link.question(r), in)
	if err != nil {
		return ofBody(err)
	}
	h := w.Header()
	h.Set(subject.CorrelationID, out.CorrelationId)
	h.Set("Cache-Control", "no-store")
	write(w, http.StatusOK, "application/json", encode(struct {
		CorrelationID string `json:"correlation_id"`
		Duplicate     bool   `json:"duplicate,omitempty"`
	}{out.CorrelationId, out.Duplicate}))
	return nil
}
