package demo

import (
	"context"
	"encoding/json"
	"net/http"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// routes answers calls. Calculations that go on when their call is answered end with ctx.
func (s *Service) routes(ctx context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /credit", s.credit)
	mux.HandleFunc("POST /report", func(w http.ResponseWriter, r *http.Request) { s.report(ctx, w, r) })
	mux.HandleFunc("GET /calls", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Calls())
	})
	return mux
}

func (s *Service) credit(w http.ResponseWriter, r *http.Request) {
	req, e, ok := s.accept(w, r, false)
	if !ok {
		return
	}
	c := s.begin(req, e, creditSpan)
	if !c.wait(r.Context()) {
		http.Error(w, "the demo backend stops", http.StatusServiceUnavailable)
		return
	}
	writeJSON(w, http.StatusOK, c.body())
}

func (s *Service) report(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	req, e, ok := s.accept(w, r, true)
	if !ok {
		return
	}
	c := s.begin(req, e, reportSpan)
	if !req.how.never && s.memory.handOver(e, req.Callback) {
		s.jobs.Go(func() { s.finish(ctx, c) })
	}
	w.WriteHeader(http.StatusAccepted)
}

// accept reads and counts a call. False means that it is answered already.
func (s *Service) accept(w http.ResponseWriter, r *http.Request, needsCallback bool) (request, *entry, bool) {
	req, status, err := readRequest(w, r, needsCallback)
	if err != nil {
		http.Error(w, err.Error(), status)
		return req, nil, false
	}
	e, n := s.memory.called(req.CorrelationID)
	switch {
	case n <= req.how.fails:
		http.Error(w, "the demo backend fails, as it was told to", http.StatusServiceUnavailable)
		return req, nil, false
	case req.how.decline:
		writeJSON(w, http.StatusUnprocessableEntity, marshal(&scorev1.Report{Result: &scorev1.Report_Failure{Failure: &scorev1.Failure{
			Code: scorev1.Code_BACKEND_DECLINED, Message: "the demo backend declines, as it was told to",
		}}}))
		return req, nil, false
	}
	return req, e, true
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
