package httpbridge

import (
	"net/http"
	"regexp"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const requestIDHeader = "X-Request-Id"

// name is what clients may call a request: it can stand in any log.
var name = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,128}$`)

// identify gives each request an ID, its own where it has one, and echoes the client's correlation ID until there is a calculation's.
func (s *Service) identify(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get(requestIDHeader)
		if !name.MatchString(id) {
			id = uuid.Must(uuid.NewV7()).String()
		}
		w.Header().Set(requestIDHeader, id)
		if theirs := r.Header.Get(subject.CorrelationID); theirs != "" && name.MatchString(theirs) {
			w.Header().Set(subject.CorrelationID, theirs)
		}
		next.ServeHTTP(w, r)
	})
}

// observe counts and times each request by its route, and logs it without anything of the customer: neither path nor query.
func (s *Service) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		s.metrics.underWay.Inc()
		defer s.metrics.underWay.Dec()
		answer := &recorder{ResponseWriter: w}
		defer func() {
			took := time.Since(began)
			s.metrics.answered(r.Pattern, answer.status, took)
			if entry := s.log.Check(zap.DebugLevel, "answered"); entry != nil {
				entry.Write(zap.String("route", r.Pattern), zap.Int("status", answer.status), zap.Duration("took", took),
					zap.String("request_id", w.Header().Get(requestIDHeader)), zap.String("correlation_id", w.Header().Get(subject.CorrelationID)))
			}
		}()
		next.ServeHTTP(answer, r)
	})
}

// recoverPanics answers what a defect left unanswered.
func (s *Service) recoverPanics(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch v := recover(); v {
			case nil:
			case http.ErrAbortHandler:
				panic(v)
			default:
				s.log.Error("a handler panicked", zap.String("route", r.Pattern), zap.Any("panic", v), zap.Stack("stack"))
				if answer, ok := w.(*recorder); ok && answer.status == 0 {
					s.fail(w, r, fault.New(scorev1.Code_INTERNAL, "internal error"))
				}
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// limit tells connections beyond the limit so, and ends them.
func (s *Service) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Value(surplusKey{}) != nil {
			w.Header().Set("Connection", "close")
			s.fail(w, r, fault.New(scorev1.Code_OVERLOADED, "%d connections are open", s.cfg.MaxConnections))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(data []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(data)
}

// FlushError sends the head of an answer, too.
func (w *recorder) FlushError() error {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap leads a ResponseController to the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
