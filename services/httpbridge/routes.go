package httpbridge

import (
	"net/http"
	"slices"
	"strings"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// handler is all that clients reach.
func (s *Service) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, handle := range s.routes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				s.fail(w, r, err)
			}
		})
	}
	if s.webhooks != nil {
		s.webhooks.Routes(linked{mux, s}, readBody, s.fail)
	}
	mux.HandleFunc(anything, func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, noRoute(mux, r)) })
	return s.identify(s.observe(s.recoverPanics(s.limit(mux))))
}

// linked has requests end when the connection to NATS breaks, as those to the bridge's own routes do.
type linked struct {
	mux *http.ServeMux
	s   *Service
}

func (l linked) HandleFunc(pattern string, handle func(http.ResponseWriter, *http.Request)) {
	l.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		ctx, done := l.s.link.context(r)
		defer done()
		handle(w, r.WithContext(ctx))
	})
}

type route func(http.ResponseWriter, *http.Request) error

func (s *Service) routes() map[string]route {
	routes := map[string]route{
		"POST /v1/score-requests":             s.ask,
		"GET /v1/score-requests/{cid}":        s.status,
		"GET /v1/score-requests/{cid}/result": s.result,
		"GET /v1/score-requests/{cid}/events": s.requestEvents,
		"GET /v1/results/events":              s.resultEvents,
		"POST /v1/scores:lookup":              s.lookup,
		"POST /v1/backend/completions/{cid}":  s.complete,
	}
	if s.cfg.CustomerURLs {
		routes["GET /v1/customers/{customer_id}/scores/{product}"] = s.customer
	}
	addFiles(routes)
	return routes
}

// anything is the pattern of what is not there.
const anything = "/"

// noRoute is the error to tell for a request that no route takes.
func noRoute(mux *http.ServeMux, r *http.Request) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		other := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(other); pattern != anything {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 || slices.Contains(allowed, r.Method) {
		return fault.New(scorev1.Code_NOT_FOUND, "there is nothing at this path")
	}
	refused := refuse(http.StatusMethodNotAllowed, "", "this path takes %s", strings.Join(allowed, ", "))
	refused.header.Set("Allow", strings.Join(allowed, ", "))
	return refused
}
