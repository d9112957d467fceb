package httpbridge

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// problem is the body of an answer that is an error (RFC 9457), with the suite's own code.
type problem struct {
	Type          string       `json:"type"`
	Title         string       `json:"title"`
	Status        int          `json:"status"`
	Detail        string       `json:"detail"`
	Instance      string       `json:"instance"`
	Code          string       `json:"code"`
	Retryable     bool         `json:"retryable"`
	Field         string       `json:"field,omitempty"`
	Errors        []fieldError `json:"errors,omitempty"`
	CorrelationID string       `json:"correlation_id,omitempty"`
	CalculatedAt  *time.Time   `json:"calculated_at,omitempty"`
}

type fieldError struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// refusal is an error of HTTP: its status is not that of its code.
type refusal struct {
	fault  *fault.Error
	status int
	header http.Header // more to say; may be nil
}

func (r *refusal) Error() string { return r.fault.Error() }

func (r *refusal) Unwrap() error { return r.fault }

// refuse makes a refusal. It is INVALID_ARGUMENT in the words of the suite, about a header or about the request as a whole.
func refuse(status int, field, format string, args ...any) *refusal {
	return &refusal{fault: fault.Invalid(field, format, args...), status: status, header: http.Header{}}
}

// retryLater is when to come back, where nobody knows better.
const retryLater = 2 * time.Second

// fail answers with an error.
func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := fault.From(err)
	status, h := f.Status(), w.Header()
	if refused, ok := errors.AsType[*refusal](err); ok {
		status = refused.status
		for name, values := range refused.header {
			h[name] = values
		}
	}
	if f.Code == scorev1.Code_INTERNAL {
		s.log.Error("a request failed", zap.String("route", r.Pattern), zap.String("request_id", h.Get(requestIDHeader)), zap.Error(err))
	}
	if f.Retryable() {
		h.Set("Retry-After", seconds(cmp.Or(f.RetryAfter, retryLater)))
	}
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	p := problem{
		Type: "urn:problem-type:scoreflow:" + strings.ReplaceAll(strings.ToLower(f.Code.String()), "_", "-"), Title: title(f.Code), Status: status,
		Detail: f.Message, Instance: "urn:request:" + h.Get(requestIDHeader), Code: f.Code.String(), Retryable: f.Retryable(),
		Field: f.Field, CorrelationID: h.Get(subject.CorrelationID),
	}
	if id := r.PathValue("cid"); id != "" && f.Field != "correlation_id" {
		p.CorrelationID = id
	}
	if inBody(r, f.Field) {
		p.Errors = []fieldError{{"#/" + strings.ReplaceAll(f.Field, ".", "/"), f.Message}}
	}
	if !f.CalculatedAt.IsZero() {
		at := f.CalculatedAt.UTC()
		p.CalculatedAt = &at
	}
	h.Set("Cache-Control", "no-store")
	write(w, status, "application/problem+json", encode(p))
}

// inBody says whether a field is one of the request's body, and not a header or a part of the path.
func inBody(r *http.Request, field string) bool {
	return field != "" && r.Method == http.MethodPost && r.PathValue(field) == "" && strings.Trim(field, "abcdefghijklmnopqrstuvwxyz0123456789_.") == "" &&
		!(field == "correlation_id" && r.PathValue("cid") != "")
}

// title is a code in words.
func title(c scorev1.Code) string {
	words := strings.ToLower(strings.ReplaceAll(c.String(), "_", " "))
	return strings.ToUpper(words[:1]) + words[1:]
}

// seconds is a duration as Retry-After has it: whole seconds, at least one.
func seconds(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(max(d, time.Second).Seconds())))
}

// write writes an answer. Who has gone needs none.
func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	h := w.Header()
	h.Set("Content-Type", contentType+"; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
