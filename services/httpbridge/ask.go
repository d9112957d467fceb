package httpbridge

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// ask asks for a score. The calculation is asked for without waiting, and waited for here: so whoever has to stop waiting, for whatever
// reason, has the correlation ID.
func (s *Service) ask(w http.ResponseWriter, r *http.Request) error {
	in, notify, err := readAsk(w, r)
	if err != nil {
		return err
	}
	prefer := parsePrefer(r.Header["Prefer"])
	wait, err := s.wait(in, prefer)
	if err != nil {
		return err
	}
	asked := parseCacheControl(r.Header["Cache-Control"])
	if asked.apply(in); in.OnlyIfCached && in.Refresh && asked.onlyIfCached {
		err = fault.New(scorev1.Code_NOT_CACHED, "only-if-cached forbids to calculate a score, and nothing else will do")
	}
	if notify != "" && err == nil {
		err = s.known(r, notify)
	}
	if err != nil {
		return err
	}
	a, err := s.client.Request(s.link.question(r), in)
	if err != nil {
		return err
	}
	s.metrics.lookedUp(a.Cache)
	if notify != "" {
		if err := s.register(r, notify, a); err != nil {
			return err
		}
	}
	if a.Status == scorev1.Status_PENDING && wait > 0 {
		if a, err = s.await(w, r, a, wait); err != nil {
			return err
		}
	}
	cacheStatus(w.Header(), a, in.Refresh)
	pending := a.Status == scorev1.Status_PENDING
	applied(w.Header(), prefer, pending, wait)
	if pending {
		s.promise(w, r, a)
	} else {
		give(w, http.StatusOK, a)
	}
	return nil
}

// readAsk reads a request and the endpoint that it wants notified.
func readAsk(w http.ResponseWriter, r *http.Request) (in *scorev1.RequestScoreRequest, notify string, err error) {
	body, err := readBody(w, r)
	if err != nil {
		return nil, "", err
	}
	if bytes.Contains(body, []byte(`"notify"`)) {
		if body, notify, err = cutNotify(body); err != nil {
			return nil, "", err
		}
	}
	in = &scorev1.RequestScoreRequest{}
	return in, notify, wire.JSON.Unmarshal(body, in)
}

// cutNotify takes `notify` out of a request: it is for the bridge, and no part of the contract.
func cutNotify(body []byte) (rest []byte, notify string, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return body, "", nil // it will be told what is wrong
	}
	value, ok := members["notify"]
	if !ok { // the word stands elsewhere
		return body, "", nil
	}
	if err := json.Unmarshal(value, &notify); err != nil || notify == "" {
		return nil, "", fault.Invalid("notify", "it is not the name of an endpoint")
	}
	delete(members, "notify")
	rest, err = json.Marshal(members)
	return rest, notify, err
}

// wait is how long to wait: as the header says, else as the body says, else as is usual; and what is too long is cut.
func (s *Service) wait(in *scorev1.RequestScoreRequest, prefer preferences) (time.Duration, error) {
	wait := s.cfg.DefaultWait
	switch {
	case in.Wait != nil && (!in.Wait.IsValid() || in.Wait.AsDuration() < 0):
		return 0, fault.Invalid("wait", "it is negative, or not a valid duration")
	case prefer.wait != nil:
		wait = *prefer.wait
	case in.Wait != nil:
		wait = in.Wait.AsDuration()
	case prefer.async:
		wait = 0
	}
	in.Wait = nil
	return min(wait, s.cfg.MaxWait), nil
}

// applied says which preferences were followed.
func applied(h http.Header, p preferences, pending bool, wait time.Duration) {
	text := ""
	if p.async && pending {
		text = "respond-async"
	}
	if p.wait != nil {
		if text != "" {
			text += ", "
		}
		text += "wait=" + strconv.Itoa(int(wait/time.Second))
	}
	if text != "" {
		h.Set("Preference-Applied", text)
	}
}

// await waits for what is pending: until there is a result, the wait ends, the client goes or the bridge is drained. What is then still
// pending is told as it was, with what is left of the estimate.
func (s *Service) await(w http.ResponseWriter, r *http.Request, pending *scorev1.Answer, wait time.Duration) (*scorev1.Answer, error) {
	id, err := correlation.ParseID(pending.CorrelationId)
	if err != nil {
		return nil, fault.New(scorev1.Code_INTERNAL, "the gateway's correlation ID is none")
	}
	waiter := s.recent.wait(id)
	defer s.recent.forget(waiter)
	began := time.Now()
	if a, err := s.listen(w, r, waiter, wait); a != nil || err != nil {
		return merge(a, pending), err
	}
	if r.Context().Err() == nil && !s.isDraining() {
		now, err := s.look(r, id)
		if err == nil {
			return merge(now, pending), nil
		}
	}
	if pending.Eta != nil {
		pending.Eta = durationpb.New(max(pending.Eta.AsDuration()-time.Since(began), retryHint).Truncate(100 * time.Millisecond))
	}
	return pending, nil
}

// listen waits for a waiter's result; nil when it did not come.
func (s *Service) listen(w http.ResponseWriter, r *http.Request, waiter *waiter, wait time.Duration) (*scorev1.Answer, error) {
	defer s.patient(w)()
	defer s.metrics.open("wait")()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case result := <-waiter.told:
		return result.Answer()
	case <-timer.C:
	case <-r.Context().Done():
	case <-s.draining:
	}
	return nil, nil
}

// patient lets a request take longer than a client may take to send one: there is nothing more to read.
func (s *Service) patient(w http.ResponseWriter) (done func()) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // a test's recorder has none
	return func() { _ = c.SetReadDeadline(time.Now().Add(s.cfg.ReadTimeout)) }
}

// merge gives a result what belongs to the request that it answers.
func merge(a, asked *scorev1.Answer) *scorev1.Answer {
	if a != nil {
		a.Cache, a.ClientReference = asked.Cache, asked.ClientReference
	}
	return a
}
