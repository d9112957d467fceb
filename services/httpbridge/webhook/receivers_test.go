package webhook

import (
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// due registers an endpoint for a result that is there.
func (b *bridge) due(endpoint string) correlation.ID {
	b.t.Helper()
	id, _ := newID(b.t)
	b.commit(id, scorev1.Status_READY)
	b.register(endpoint, id)
	return id
}

func TestAFailureIsRepeatedWithTheSameID(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, statuses(http.StatusInternalServerError, http.StatusBadRequest, http.StatusOK))
	v := b.endpoint("crm", r.URL, "")
	id := b.due("crm")
	first := r.next(t)
	for range 2 {
		again := r.next(t)
		if again.id() != first.id() || string(again.body) != string(first.body) {
			t.Errorf("%s %s, then %s %s", first.id(), first.body, again.id(), again.body)
		}
		verify(t, again, v, true)
	}
	d := b.await("crm", id, in(delivered))
	if len(d.Attempts) != 3 || d.Attempts[0].Status != 500 || d.Attempts[1].Problem != refused || d.Attempts[2].Status != 200 {
		t.Errorf("%+v", d)
	}
}

func TestAtLastADeliveryIsGivenUpAndCanBeReplayed(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, statuses(500, 500, 500, 204))
	b.endpoint("crm", r.URL, "")
	before := time.Now().Add(-time.Minute).Format(time.RFC3339)
	id := b.due("crm")
	d := b.await("crm", id, in(failed))
	if len(d.Attempts) != len(quick.Delays) {
		t.Errorf("%+v", d)
	}
	var got struct{ Replayed int }
	replay := func(body newReplay, want int) {
		t.Helper()
		b.call(http.StatusAccepted, "POST", root+"/crm/replay", body, &got)
		if got.Replayed != want {
			t.Errorf("%+v: %d are replayed, want %d", body, got.Replayed, want)
		}
	}
	replay(newReplay{Since: time.Now().Add(time.Minute).Format(time.RFC3339)}, 0)
	replay(newReplay{Since: before, FailedOnly: true}, 1)
	if d = b.await("crm", id, in(delivered)); len(d.Attempts) != 4 {
		t.Errorf("%+v", d)
	}
	replay(newReplay{Since: before, FailedOnly: true}, 0)
	replay(newReplay{Since: before}, 1)
	b.await("crm", id, func(d *delivery) bool { return d.State == delivered && len(d.Attempts) == 5 })
	want := r.next(t).id()
	for range 4 {
		if got := r.next(t).id(); got != want {
			t.Errorf("%s, then %s", want, got)
		}
	}
}

func TestAnEndpointThatAsksForItIsLeftAlone(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	const wait = 1
	answers := make(chan http.HandlerFunc, 3)
	answers <- func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", strconv.Itoa(wait))
		w.WriteHeader(http.StatusTooManyRequests)
	}
	answers <- statuses(204)
	answers <- statuses(204)
	r := receive(t, func(w http.ResponseWriter, req *http.Request) {
		(<-answers)(w, req)
	})
	b.endpoint("crm", r.URL, "")
	first := b.due("crm")
	asked := r.next(t)
	b.await("crm", first, func(d *delivery) bool { return d.Failures == 1 })
	b.awaitEndpoint("crm", func(e *endpoint) bool { return !e.NotBefore.IsZero() })
	b.due("crm")
	for range 2 {
		if after := r.next(t).at.Sub(asked.at); after < wait*time.Second {
			t.Errorf("it was told again after %v", after)
		}
	}
}

func TestGoneDisablesAndResumeGoesOn(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, statuses(http.StatusGone, http.StatusNoContent))
	b.endpoint("crm", r.URL, "")
	id := b.due("crm")
	r.next(t)
	b.awaitEndpoint("crm", func(e *endpoint) bool { return e.State == disabled })
	if err := b.Known(t.Context(), "crm"); err == nil {
		t.Error("a disabled endpoint may be registered")
	}
	other := b.due("crm") // whoever was quicker
	b.call(http.StatusOK, "POST", root+"/crm/resume", nil, nil)
	b.await("crm", id, in(delivered))
	b.await("crm", other, in(delivered))
}

// awaitEndpoint waits until an endpoint is as wanted.
func (b *bridge) awaitEndpoint(name string, want func(*endpoint) bool) {
	b.t.Helper()
	watcher, err := b.endpoints.kv.Watch(b.t.Context(), name)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = watcher.Stop() }()
	for entry := range watcher.Updates() {
		if entry == nil {
			continue
		}
		if e, err := readEndpoint(entry.Value()); err == nil && want(e) {
			return
		}
	}
	b.t.Fatal("the endpoint is not as wanted")
}

func TestARedirectIsAFailureAndNotFollowed(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	elsewhere := receive(t, nil)
	r := receive(t, func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	b.endpoint("crm", r.URL, "")
	d := b.await("crm", b.due("crm"), in(failed))
	if d.Attempts[0].Status != http.StatusTemporaryRedirect || d.Attempts[0].Problem != redirected || len(elsewhere.requests) != 0 {
		t.Errorf("%+v, %d requests elsewhere", d, len(elsewhere.requests))
	}
}

func TestASlowReceiverDelaysNobody(t *testing.T) {
	cfg := development()
	cfg.Timeout, cfg.AckWait, cfg.Concurrency = time.Minute, 2*time.Minute, 4
	b := run(t, natstest.Run(t), cfg)
	free := make(chan struct{})
	slow := receive(t, func(w http.ResponseWriter, _ *http.Request) {
		<-free
		w.WriteHeader(http.StatusNoContent)
	})
	quick := receive(t, nil)
	b.endpoint("slow", slow.URL, "")
	b.endpoint("quick", quick.URL, "")
	const each = 50
	var of []correlation.ID
	for range each {
		of = append(of, b.due("slow"))
		b.due("quick")
	}
	for range cfg.Concurrency {
		slow.next(t)
	}
	for range each {
		quick.next(t)
	}
	if n := len(slow.requests); n != 0 {
		t.Errorf("%d requests beyond the limit", n)
	}
	close(free)
	for _, id := range of {
		b.await("slow", id, in(delivered))
	}
}

func TestWhatHangsTimesOut(t *testing.T) {
	b := run(t, natstest.Run(t), hasty())
	r := receive(t, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	b.endpoint("crm", r.URL, "")
	d := b.await("crm", b.due("crm"), func(d *delivery) bool { return d.Failures == 1 })
	if d.Attempts[0].Problem != timedOut {
		t.Errorf("%+v", d)
	}
}

// TestAddressesAreCheckedBeforeConnecting lets a name lead to this host: nothing may arrive there, not even a connection.
func TestAddressesAreCheckedBeforeConnecting(t *testing.T) {
	var connections atomic.Int32
	r := httptest.NewUnstartedServer(http.NotFoundHandler())
	r.Config.ConnState = func(net.Conn, http.ConnState) { connections.Add(1) }
	r.Start()
	t.Cleanup(r.Close)
	_, text, err := net.SplitHostPort(r.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	cfg := development()
	cfg.AllowPrivate, cfg.Ports = false, []uint16{uint16(port)}
	b := run(t, natstest.Run(t), cfg)
	b.endpoint("crm", "http://localhost:"+text, "")
	d := b.await("crm", b.due("crm"), in(failed))
	if d.Attempts[0].Problem != forbidden || d.Attempts[0].Status != 0 {
		t.Errorf("%+v", d)
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
	for _, host := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		b.call(http.StatusBadRequest, "POST", root, newEndpoint{ID: "x", URL: "http://" + host + ":" + text}, nil)
	}
}

func TestASecureConnectionIsChecked(t *testing.T) {
	r := &receiver{requests: make(chan received, 10)}
	r.Server = httptest.NewUnstartedServer(r.handler(nil))
	r.Config.ErrorLog = log.New(io.Discard, "", 0)
	r.StartTLS()
	t.Cleanup(r.Close)
	cfg := development()
	cfg.AllowHTTP = false
	b := run(t, natstest.Run(t), cfg)
	b.endpoint("crm", r.URL, "")
	if d := b.await("crm", b.due("crm"), in(failed)); d.Attempts[0].Problem != insecure {
		t.Errorf("%+v", d)
	}
	b.call(http.StatusBadRequest, "POST", root, newEndpoint{ID: "x", URL: "http://example.com"}, nil)

	cfg.RootCAs = x509.NewCertPool()
	cfg.RootCAs.AddCert(r.Certificate())
	b = run(t, natstest.Run(t), cfg)
	b.endpoint("crm", r.URL, "")
	b.await("crm", b.due("crm"), in(delivered))
}
