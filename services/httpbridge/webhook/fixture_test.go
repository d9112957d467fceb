package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/store"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// quick is a policy for tests. The server fires what is kept for later a quarter of a second after it was stored, at the earliest.
var quick = Policy{Delays: []time.Duration{0, time.Millisecond, time.Millisecond}, Hold: time.Millisecond, Longest: time.Minute}

// development is a configuration that delivers to this host.
func development() Config {
	return Config{
		PublicURL: "https://scores.example.com", AllowHTTP: true, AllowPrivate: true,
		Policy: quick, Timeout: 10 * time.Second, AckWait: 20 * time.Second,
	}
}

// hasty is development with bridges that soon take over from each other, and do not soon give up.
func hasty() Config {
	cfg := development()
	cfg.Timeout, cfg.AckWait = 500*time.Millisecond, time.Second
	cfg.Policy.Delays = make([]time.Duration, 100)
	return cfg
}

// bridge is a running Service, with its routes.
type bridge struct {
	*Service
	t    *testing.T
	nc   *nats.Conn
	url  string
	stop func() // as a signal does
	kill func() // as nobody could: its connection is cut first
}

func run(t *testing.T, server *natstest.Server, cfg Config) *bridge {
	t.Helper()
	nc := server.Conn()
	s, err := New(t.Context(), cfg, nc, zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	mux := http.NewServeMux()
	read := func(w http.ResponseWriter, r *http.Request) ([]byte, error) {
		return io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	}
	s.Routes(mux, read, func(w http.ResponseWriter, _ *http.Request, err error) {
		f := fault.From(err)
		w.WriteHeader(f.Status())
		_ = json.NewEncoder(w).Encode(map[string]string{"code": f.Code.String(), "field": f.Field})
	})
	api := httptest.NewServer(mux)
	t.Cleanup(api.Close)
	return &bridge{t: t, Service: s, nc: nc, url: api.URL, stop: stop, kill: func() { nc.Close(); stop() }}
}

// call calls the API, wants a status, and reads the answer.
func (b *bridge) call(want int, method, path string, body, into any) {
	b.t.Helper()
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			b.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, bytes.NewReader(sent))
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if resp.StatusCode != want {
		b.t.Fatalf("%s %s: %s, want %d: %s", method, path, resp.Status, want, data)
	}
	if into != nil {
		if err := json.Unmarshal(data, into); err != nil {
			b.t.Fatalf("%s: %v", data, err)
		}
	}
}

// endpoint creates an endpoint and returns what the API tells once.
func (b *bridge) endpoint(id, url, payload string) (v endpointView) {
	b.t.Helper()
	b.call(http.StatusCreated, "POST", root, newEndpoint{ID: id, URL: url, Payload: payload}, &v)
	return v
}

// register registers an endpoint for a result.
func (b *bridge) register(endpoint string, id correlation.ID) {
	b.t.Helper()
	if err := b.Register(b.t.Context(), endpoint, &scorev1.Answer{CorrelationId: id.String()}); err != nil {
		b.t.Fatal(err)
	}
}

// commit commits the result of a calculation, as the correlator does.
func (b *bridge) commit(id correlation.ID, status scorev1.Status) *scorev1.Answer {
	b.t.Helper()
	result := &scorev1.Answer{CorrelationId: id.String(), Product: "credit", CustomerId: "customer-42", Status: status}
	if ok, err := b.store.Commit(b.t.Context(), id, result); err != nil || !ok {
		b.t.Fatal(ok, err)
	}
	return result
}

// start stores a calculation in progress, as the gateway does.
func (b *bridge) start(id correlation.ID, key correlation.Key, c *scorev1.Calculation) {
	b.t.Helper()
	c.CorrelationId, c.Product = id.String(), key.Product
	if ok, err := b.store.Start(b.t.Context(), key, c); err != nil || !ok {
		b.t.Fatal(ok, err)
	}
}

// await returns the delivery when it is as wanted.
func (b *bridge) await(endpoint string, id correlation.ID, want func(*delivery) bool) *delivery {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	watcher, err := b.deliveries.kv.Watch(ctx, deliveryKey(endpoint, id))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = watcher.Stop() }()
	var last *delivery
	for entry := range watcher.Updates() {
		if entry == nil || entry.Operation() != jetstream.KeyValuePut {
			continue
		}
		if last, err = readDelivery(entry.Value()); err != nil {
			b.t.Fatal(err)
		}
		if want(last) {
			return last
		}
	}
	b.t.Fatalf("the delivery stayed at %+v", last)
	return nil
}

func in(state string) func(*delivery) bool { return func(d *delivery) bool { return d.State == state } }

// newID makes a correlation ID and its key.
func newID(t *testing.T) (correlation.ID, correlation.Key) {
	t.Helper()
	names, err := correlation.NewPseudonymizer(bytes.Repeat([]byte("s"), correlation.MinSecret))
	if err != nil {
		t.Fatal(err)
	}
	key := names.Key("bank", "credit", "customer-42")
	return correlation.NewID(key, time.Now()), key
}

// received is a request that a receiver got.
type received struct {
	header http.Header
	body   []byte
	at     time.Time
}

func (r received) id() string { return r.header.Get("webhook-id") }

// receiver is an HTTP server that keeps what it receives. answer writes the answer; nil is 204.
type receiver struct {
	*httptest.Server
	requests chan received
}

func receive(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{requests: make(chan received, 10_000)}
	r.Server = httptest.NewServer(r.handler(answer))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) handler(answer http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return // whoever sent it is gone
		}
		r.requests <- received{req.Header.Clone(), body, time.Now()}
		if answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		answer(w, req)
	})
}

// next is the next request.
func (r *receiver) next(t *testing.T) received {
	t.Helper()
	select {
	case got := <-r.requests:
		return got
	case <-time.After(time.Minute):
		t.Fatal("nothing is received")
		return received{}
	}
}

// statuses answers with one status after the other; the last stays.
func statuses(all ...int) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.WriteHeader(all[0])
		if len(all) > 1 {
			all = all[1:]
		}
	}
}

func opened(t *testing.T, server *natstest.Server) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), server.Conn(), store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
