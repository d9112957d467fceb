package httpbridge

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"github.com/tmaxmax/go-sse"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// The types of events.
const (
	statusEvent = "status" // an Answer that is pending
	resultEvent = "result" // an Answer that is final; its id is its place in the stream of results
	gapEvent    = "gap"    // results are no longer kept that would have come here
)

// requestEvents streams what happens to one request: its state now, then its result, which is the end.
func (s *Service) requestEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	waiter := s.recent.wait(id) // before it looks, so that nothing is missed
	defer s.recent.forget(waiter)
	result, err := s.results.Get(s.link.question(r), id)
	found := err == nil
	var pending *scorev1.Answer
	if notFound(err) {
		pending, err = s.look(r, id)
	}
	if err != nil {
		return s.gone(id, err)
	}
	w.Header().Set(subject.CorrelationID, id.String())
	if last := r.Header.Get("Last-Event-ID"); found && last == placeID(result.Sequence) {
		w.WriteHeader(http.StatusNoContent) // the client has seen the end, and need not come back
		return nil
	}
	events, err := s.openEvents(w, r)
	if err != nil || events == nil {
		return err
	}
	defer events.close()
	if found {
		_ = events.send(resultOf(result))
		return nil
	}
	if pending.Status == scorev1.Status_PENDING {
		if events.send(event("", statusEvent, document(pending))) != nil {
			return nil
		}
	}
	for {
		select {
		case result := <-waiter.told:
			_ = events.send(resultOf(result))
			return nil
		case <-events.beat.C:
			if events.heartbeat() != nil {
				return nil
			}
		case <-r.Context().Done():
			return nil
		case <-s.draining:
			return nil
		}
	}
}

// resultEvents streams all results: from now on, or after the one that the client saw last.
func (s *Service) resultEvents(w http.ResponseWriter, r *http.Request) error {
	place, err := s.resume(r)
	if err != nil {
		return err
	}
	events, err := s.openEvents(w, r)
	if err != nil || events == nil {
		return err
	}
	defer events.close()
	f := &follower{Service: s, events: events, place: place}
	if newest := s.recent.newest(); place > newest {
		err = f.ahead(r.Context(), newest)
	}
	if err == nil && place <= s.recent.newest() {
		err = events.send(event(placeID(f.place), "", nil)) // so that whoever loses the connection before the first result can resume
	}
	for err == nil {
		err = f.step(r.Context())
	}
	return nil // the client has gone, or comes back
}

// resume is the place after which a client wants to go on: its Last-Event-ID, else its query, else now.
func (s *Service) resume(r *http.Request) (uint64, error) {
	for _, said := range []struct{ field, value string }{
		{"Last-Event-ID", r.Header.Get("Last-Event-ID")}, {"after", r.URL.Query().Get("after")},
	} {
		if said.value == "" {
			continue
		}
		place, err := strconv.ParseUint(said.value, 10, 63)
		if err != nil {
			return 0, fault.Invalid(said.field, "it is not the id of an event of this stream")
		}
		return place, nil
	}
	return s.recent.newest(), nil
}

// follower is one who follows all results.
type follower struct {
	*Service
	events *events
	place  uint64 // after the last result that was sent
}

// batch is how many results are sent before they are flushed.
const batch = 64

var errDraining = errors.New("the bridge is being stopped")

// step sends what there is, or waits until there is more.
func (f *follower) step(ctx context.Context) error {
	results, base, more := f.recent.after(f.place, batch)
	if f.place < base {
		return f.replay(ctx, base)
	}
	for _, r := range results {
		if err := f.events.write(resultOf(r)); err != nil {
			return err
		}
		f.place = r.Sequence
	}
	if len(results) > 0 {
		return f.events.flush()
	}
	select {
	case <-more:
		return nil
	case <-f.events.beat.C:
		return f.events.heartbeat()
	case <-ctx.Done():
		return ctx.Err()
	case <-f.draining:
		return errDraining
	}
}

// replay reads from the stream what is no longer in memory: the results until base. Only some do so at once.
func (f *follower) replay(ctx context.Context, base uint64) error {
	select {
	case f.replays <- struct{}{}:
	case <-f.events.beat.C:
		return f.events.heartbeat()
	case <-ctx.Done():
		return ctx.Err()
	case <-f.draining:
		return errDraining
	}
	defer func() { <-f.replays }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.link.ended(), cancel)()
	span, err := f.results.Span(ctx)
	if err != nil {
		return err
	}
	if span.First > f.place+1 {
		if err := f.gap(min(span.First-1, base), f.place > 0); err != nil || f.place >= base {
			return err
		}
	}
	var failed error
	err = f.results.Follow(ctx, f.place, func(r client.Result) bool {
		if r.Sequence <= base {
			failed = f.events.write(resultOf(r))
		}
		f.place = min(r.Sequence, base)
		return failed == nil && r.Sequence < base && !f.isDraining()
	})
	return errors.Join(err, failed, ctx.Err(), f.events.flush())
}

// ahead deals with a client that has seen more than this bridge: another bridge is ahead of it by a moment; or the stream began anew, and
// then nothing can be said of what the client missed.
func (f *follower) ahead(ctx context.Context, newest uint64) error {
	span, err := f.results.Span(ctx)
	if err != nil || f.place <= span.Last {
		return err
	}
	return f.gap(newest, true)
}

// gap goes on after a place, because the results until there are not to be had any more. Whoever asked for whatever there is need not be
// told.
func (f *follower) gap(until uint64, tell bool) error {
	missed := struct {
		After uint64 `json:"after"`
		Until uint64 `json:"until"`
	}{f.place, until}
	f.place = until
	if !tell {
		return nil
	}
	return f.events.send(event(placeID(until), gapEvent, encode(missed)))
}

// event makes an event. One without kind is not seen by clients, who only keep its id as the place to resume from.
func event(id, kind string, data []byte) *sse.Message {
	m := &sse.Message{}
	if id != "" {
		m.ID = sse.ID(id)
	}
	if kind != "" {
		m.Type = sse.Type(kind)
		m.AppendData(string(data))
	}
	return m
}

func resultOf(r client.Result) *sse.Message {
	return event(placeID(r.Sequence), resultEvent, r.Document)
}

func placeID(place uint64) string { return strconv.FormatUint(place, 10) }

func notFound(err error) bool {
	f, ok := errors.AsType[*fault.Error](err)
	return ok && f.Code == scorev1.Code_NOT_FOUND
}

// events is an open stream of events.
type events struct {
	service    *Service
	session    *sse.Session
	controller *http.ResponseController
	beat       *time.Ticker
	closed     func()
}

// openEvents begins to answer with events; nil when only the head of the answer was asked for.
func (s *Service) openEvents(w http.ResponseWriter, r *http.Request) (*events, error) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx: pass them on as they come
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodHead {
		h.Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		return nil, nil
	}
	session, err := sse.Upgrade(w, r)
	if err != nil {
		return nil, err
	}
	e := &events{service: s, session: session, controller: http.NewResponseController(w), beat: time.NewTicker(s.cfg.Heartbeat)}
	done, counted := s.patient(w), s.metrics.open("events")
	e.closed = func() {
		done()
		counted()
		e.beat.Stop()
	}
	e.extend()
	return e, e.session.Flush()
}

// extend gives the client its time to take the next event.
func (e *events) extend() { _ = e.controller.SetWriteDeadline(time.Now().Add(writeTimeout)) }

// write sends an event without flushing it.
func (e *events) write(m *sse.Message) error {
	e.extend()
	return e.session.Send(m)
}

func (e *events) flush() error {
	e.extend()
	return e.session.Flush()
}

func (e *events) send(m *sse.Message) error {
	if err := e.write(m); err != nil {
		return err
	}
	return e.flush()
}

// heartbeat shows everyone on the way that the stream is alive.
func (e *events) heartbeat() error {
	m := &sse.Message{}
	m.AppendComment("alive")
	return e.send(m)
}

// close ends the stream. When that is because the bridge is stopped, clients are asked to come back one after the other.
func (e *events) close() {
	if e.service.isDraining() {
		_ = e.send(&sse.Message{Retry: time.Second + rand.N(4*time.Second)})
	}
	e.closed()
}
