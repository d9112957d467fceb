package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const (
	root     = "/v1/webhook-endpoints"
	one      = root + "/{id}"
	answerIn = 10 * time.Second // unless a request says otherwise
)

// Mux is what routes are added to.
type Mux interface {
	HandleFunc(pattern string, handle func(http.ResponseWriter, *http.Request))
}

// Routes adds the routes by which endpoints are kept. read reads the JSON body of a request, within limits, and fail answers with an error,
// of which fault.From says what may be told: both as everywhere else on the bridge. Who may use the routes is the bridge's to check.
func (s *Service) Routes(
	mux Mux, read func(http.ResponseWriter, *http.Request) ([]byte, error), fail func(http.ResponseWriter, *http.Request, error),
) {
	serve := func(w http.ResponseWriter, r *http.Request, within time.Duration, handle func(context.Context, call) (answer, error)) error {
		c := call{id: r.PathValue("id"), query: r.URL.Query(), body: func(into any) error {
			data, err := read(w, r)
			if err != nil {
				return err
			}
			return decode(data, into)
		}}
		ctx, cancel := context.WithTimeout(r.Context(), within)
		defer cancel()
		a, err := handle(ctx, c)
		if errors.Is(err, errNone) {
			return fault.New(scorev1.Code_NOT_FOUND, "there is no webhook endpoint of this name")
		}
		if err != nil {
			return err
		}
		return a.write(w)
	}
	route := func(pattern string, within time.Duration, handle func(context.Context, call) (answer, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := serve(w, r, within, handle); err != nil {
				fail(w, r, err)
			}
		})
	}
	route("GET "+root, answerIn, s.getEndpoints)
	route("POST "+root, answerIn, s.postEndpoint)
	route("GET "+one, answerIn, s.getEndpoint)
	route("DELETE "+one, answerIn, s.deleteEndpoint)
	route("POST "+one+"/rotate-secret", answerIn, s.postRotate)
	route("POST "+one+"/pause", answerIn, s.postPause)
	route("POST "+one+"/resume", answerIn, s.postResume)
	route("POST "+one+"/test", answerIn+s.cfg.Timeout, s.postTest)
	route("POST "+one+"/replay", time.Minute, s.postReplay)
	route("GET "+one+"/deliveries", answerIn, s.getDeliveries)
}

// call is what a handler gets of a request.
type call struct {
	id    string // of the endpoint
	query map[string][]string
	body  func(into any) error // reads it
}

// answer is what a handler answers when nothing is wrong.
type answer struct {
	status   int // default 200
	location string
	body     any // nil = none
}

// write writes an answer; its error says that nothing has been written.
func (a answer) write(w http.ResponseWriter) error {
	data, err := json.Marshal(a.body)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store") // there are secrets in it
	if a.location != "" {
		h.Set("Location", a.location)
	}
	if a.body != nil {
		h.Set("Content-Type", "application/json; charset=utf-8")
		h.Set("X-Content-Type-Options", "nosniff")
	}
	w.WriteHeader(or(a.status, http.StatusOK))
	if a.body != nil {
		_, _ = w.Write(append(data, '\n')) // a client that has gone needs no answer
	}
	return nil
}

// decode reads one JSON object without unknown fields.
func decode(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && t.Field != "" {
			return fault.Invalid(t.Field, "it is not a %s", t.Type)
		}
		if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok { // the library has no error for it
			return fault.Invalid(strings.Trim(name, `"`), "there is no such field")
		}
		return fault.Invalid("", "the body is not a JSON object")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fault.Invalid("", "there is something behind the JSON object")
	}
	return nil
}
