package httpbridge_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/services/dev/devtest"
	"github.com/scoreflow/scoreflow/services/httpbridge"
)

// stream is an open stream of events.
type stream struct {
	t     *testing.T
	resp  *http.Response
	lines *bufio.Reader
}

func (b *bridge) events(path string, headers ...string) *stream {
	b.t.Helper()
	resp, err := b.open(b.t.Context(), "GET", path, "", headers...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" ||
		resp.Header.Get("X-Accel-Buffering") != "no" {
		b.t.Fatal(resp.Status, resp.Header)
	}
	return &stream{b.t, resp, bufio.NewReader(resp.Body)}
}

// next is the next event by field; nil at the end.
func (s *stream) next() map[string]string {
	s.t.Helper()
	event := map[string]string{}
	for {
		line, err := s.lines.ReadString('\n')
		switch line = strings.TrimSuffix(line, "\n"); {
		case err != nil:
			return nil
		case line == "" && len(event) > 0:
			return event
		}
		name, value, _ := strings.Cut(line, ": ")
		event[name] = value
	}
}

func (s *stream) expect(id, kind, within string) {
	s.t.Helper()
	if e := s.next(); e["id"] != id || e["event"] != kind || !strings.Contains(e["data"], within) {
		s.t.Fatalf("got %v, want %s %s %s", e, id, kind, within)
	}
}

func TestEventsOfARequest(t *testing.T) {
	b := start(t, nil)
	id := b.pending("42")
	path := "/v1/score-requests/" + id + "/events"
	open := b.events(path)
	open.expect("", "status", `"status":"PENDING"`)
	b.complete(id).expect(t, 200)
	open.expect("1", "result", id)
	if e := open.next(); e != nil {
		t.Error("after the end:", e)
	}
	late := b.events(path, "Last-Event-ID: 0")
	late.expect("1", "result", id)
	if e := late.next(); e != nil {
		t.Error("after the end:", e)
	}
	b.do("GET", path, "", "Last-Event-ID: 1").expect(t, 204)
	b.do("HEAD", path, "").expect(t, 200, "Content-Type: text/event-stream")
}

func TestAllResultsAreFollowedAndResumed(t *testing.T) {
	url, report := devtest.Run(t)
	b := startOn(t, url, report, nil)
	first := b.events("/v1/results/events")
	first.expect("0", "", "") // the place to resume from
	var ids []string
	calculate := func(customer string) {
		r := b.ask(`{"customer_id":"` + customer + `"}`)
		r.expect(t, 200)
		ids = append(ids, r.json["correlation_id"].(string))
	}
	calculate("1")
	first.expect("1", "result", ids[0])
	first.resp.Body.Close()
	calculate("2")
	calculate("3")
	again := b.events("/v1/results/events", "Last-Event-ID: 1")
	again.expect("1", "", "")
	again.expect("2", "result", ids[1])
	again.expect("3", "result", ids[2])

	// Another bridge has none of them in memory, and reads them from the stream.
	other := startOn(t, url, report, nil)
	replayed := other.events("/v1/results/events", "Last-Event-ID: 1")
	replayed.expect("1", "", "")
	replayed.expect("2", "result", ids[1])
	replayed.expect("3", "result", ids[2])
	calculate("4")
	replayed.expect("4", "result", ids[3])
	again.expect("4", "result", ids[3])
	all := other.events("/v1/results/events?after=0")
	all.expect("0", "", "")
	for i, id := range ids {
		all.expect(string(rune('1'+i)), "result", id)
	}
}

func TestAGapIsTold(t *testing.T) {
	url, report := devtest.Run(t)
	b := startOn(t, url, report, nil)
	for _, customer := range []string{"1", "2", "3"} {
		b.ask(`{"customer_id":"`+customer+`"}`).expect(t, 200)
	}
	js, err := jetstream.New(b.nc)
	if err != nil {
		t.Fatal(err)
	}
	results, err := js.Stream(t.Context(), "RESULTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := results.Purge(t.Context(), jetstream.WithPurgeSequence(3)); err != nil { // as if they were too old
		t.Fatal(err)
	}
	other := startOn(t, url, report, nil)
	s := other.events("/v1/results/events", "Last-Event-ID: 1")
	s.expect("1", "", "")
	s.expect("2", "gap", `{"after":1,"until":2}`)
	s.expect("3", "result", `"customer_id":"3"`)
	if err := results.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	emptied := startOn(t, url, report, nil)
	s = emptied.events("/v1/results/events", "Last-Event-ID: 2")
	s.expect("2", "", "")
	s.expect("3", "gap", `{"after":2,"until":3}`)
	s = emptied.events("/v1/results/events", "Last-Event-ID: 99") // of a stream that began anew
	s.expect("3", "gap", `{"after":99,"until":3}`)
	b.ask(`{"customer_id":"4"}`).expect(t, 200)
	s.expect("4", "result", `"customer_id":"4"`)
}

func TestHeartbeats(t *testing.T) {
	b := start(t, func(c *httpbridge.Config) { c.Heartbeat = time.Millisecond })
	id := b.pending("42")
	all := b.events("/v1/results/events")
	all.expect("0", "", "")
	one := b.events("/v1/score-requests/" + id + "/events")
	one.expect("", "status", "PENDING")
	for _, s := range []*stream{all, one, all, one} {
		if e := s.next(); e[""] != "alive" {
			t.Errorf("got %v", e)
		}
	}
}
