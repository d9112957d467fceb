package httpbridge

import (
	"net/http"
	"strconv"
	"time"

	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const requestsPath = "/v1/score-requests/"

// retryHint is when to come back for what is pending and has no estimate.
const retryHint = time.Second

// describe says in headers what an answer is: who may keep it, how old it is, what it is called.
func describe(h http.Header, a *scorev1.Answer) {
	h.Set(subject.CorrelationID, a.CorrelationId)
	h.Set("Vary", "Prefer")
	sc := a.Score
	switch {
	case a.Status == scorev1.Status_PENDING:
		h.Set("Cache-Control", "no-store")
		h.Set("Retry-After", seconds(max(a.Eta.AsDuration(), retryHint)))
		return
	case sc == nil || a.Expired:
		h.Set("Cache-Control", "private, no-cache")
	default:
		// What is left of it is max-age less Age (RFC 9111, section 4.2), so max-age is the whole validity.
		h.Set("Cache-Control", "private, max-age="+wholeSeconds(sc.ValidUntil.AsTime().Sub(sc.CalculatedAt.AsTime())))
	}
	if sc != nil {
		h.Set("Age", wholeSeconds(age(a)))
	}
	h.Set("Etag", etag(a))
}

// cacheStatus says how the cache of scores was met (RFC 9211).
func cacheStatus(h http.Header, a *scorev1.Answer, refreshed bool) {
	said := "scoreflow"
	switch a.Cache {
	case scorev1.Cache_HIT:
		said += ";hit"
		if sc := a.Score; sc != nil {
			ttl := sc.ValidUntil.AsTime().Sub(sc.CalculatedAt.AsTime()) - age(a)
			said += ";ttl=" + strconv.FormatInt(int64(ttl/time.Second), 10)
		}
	case scorev1.Cache_MISS, scorev1.Cache_JOINED:
		if refreshed {
			said += ";fwd=request"
		} else {
			said += ";fwd=miss" // whether there was none, or none that would do, is not known here
		}
		if a.Status == scorev1.Status_READY {
			said += ";stored"
		}
		if a.Cache == scorev1.Cache_JOINED {
			said += ";collapsed"
		}
	default:
		return
	}
	h.Set("Cache-Status", said)
}

// age is how old the score of an answer is: in the gateway's words, where it comes from there.
func age(a *scorev1.Answer) time.Duration {
	if a.Age != nil {
		return a.Age.AsDuration()
	}
	return max(time.Since(a.Score.CalculatedAt.AsTime()), 0)
}

func wholeSeconds(d time.Duration) string { return strconv.FormatInt(int64(max(d, 0)/time.Second), 10) }

// give answers with what is final.
func give(w http.ResponseWriter, status int, a *scorev1.Answer) {
	describe(w.Header(), a)
	write(w, status, "application/json", document(a))
}

// promise answers with what is pending, and says where its state is and where it can be watched.
func (s *Service) promise(w http.ResponseWriter, r *http.Request, a *scorev1.Answer) {
	h := w.Header()
	h.Set("Location", s.path(requestsPath+a.CorrelationId))
	h.Set("Operation-Location", s.origin(r)+s.path(requestsPath+a.CorrelationId))
	give(w, http.StatusAccepted, a)
}

// origin is scheme and host of this service as its clients see it.
func (s *Service) origin(r *http.Request) string {
	if s.public != nil {
		return s.public.Scheme + "://" + s.public.Host
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// path is one of our paths as clients see it.
func (s *Service) path(path string) string {
	if s.public != nil {
		return s.public.Path + path
	}
	return path
}
