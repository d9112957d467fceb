package httpbridge_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/services/dev/devtest"
	"github.com/scoreflow/scoreflow/services/httpbridge"
)

// bridge is a bridge on a whole suite.
type bridge struct {
	t      *testing.T
	url    string
	admin  string
	nats   string
	nc     *nats.Conn // the bridge's own
	report *devtest.Backend
	client *http.Client
	stop   func() // and wait until it is drained
	served *httpbridge.Service
}

func start(t *testing.T, change func(*httpbridge.Config)) *bridge {
	t.Helper()
	url, report := devtest.Run(t)
	return startOn(t, url, report, change)
}

// startOn starts a bridge on a suite that runs already.
func startOn(t *testing.T, url string, report *devtest.Backend, change func(*httpbridge.Config)) *bridge {
	t.Helper()
	log := zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	nc, err := bus.Connect(t.Context(), bus.Config{URL: url, Name: "bridge"}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	cfg := httpbridge.Config{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0"}
	if change != nil {
		change(&cfg)
	}
	s, err := httpbridge.New(t.Context(), cfg, nc, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	b := &bridge{
		t: t, url: "http://" + s.Addr(), admin: "http://" + s.AdminAddr(), nats: url, nc: nc, report: report, served: s,
		client: &http.Client{
			Transport:     &http.Transport{},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		stop: func() {
			cancel()
			<-ended
		},
	}
	t.Cleanup(func() {
		b.client.CloseIdleConnections()
		b.stop()
		nc.Close()
	})
	return b
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   string
	json   map[string]any
}

// do sends a request; headers are "Name: value".
func (b *bridge) do(method, path, body string, headers ...string) reply {
	b.t.Helper()
	r, err := b.send(b.t.Context(), method, path, body, headers...)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bridge) send(ctx context.Context, method, path, body string, headers ...string) (reply, error) {
	resp, err := b.open(ctx, method, path, body, headers...)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: resp.StatusCode, header: resp.Header, body: string(data)}
	_ = json.Unmarshal(data, &r.json)
	return r, nil
}

func (b *bridge) open(ctx context.Context, method, path, body string, headers ...string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, b.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Content-Type" {
			req.Header.Del(name)
		}
		req.Header.Add(name, value)
	}
	return b.client.Do(req)
}

func (b *bridge) ask(body string, headers ...string) reply {
	b.t.Helper()
	return b.do("POST", "/v1/score-requests", body, headers...)
}

// pending asks for a score whose calculation ends when the test notifies.
func (b *bridge) pending(customer string) (id string) {
	b.t.Helper()
	r := b.ask(`{"customer_id":"`+customer+`","product":"report"}`, "Prefer: respond-async")
	if r.status != 202 {
		b.t.Fatalf("%d %s", r.status, r.body)
	}
	return r.json["correlation_id"].(string)
}

const report = `{"score":{"outcome":"SCORED","value":777,"range_min":0,"range_max":1000},"validity":"3600s"}`

// complete ends a calculation.
func (b *bridge) complete(id string) reply {
	b.t.Helper()
	return b.do("POST", "/v1/backend/completions/"+id, report, "Authorization: Bearer "+b.report.Call(id).Token)
}

func (r reply) expect(t *testing.T, status int, headers ...string) {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d: %s", r.status, status, r.body)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if got := r.header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}
