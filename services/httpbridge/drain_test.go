package httpbridge_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/services/httpbridge"
)

// Whoever waits when the bridge is stopped gets a polite answer.
func TestDraining(t *testing.T) {
	b := start(t, nil)
	id := b.pending("42")
	path := "/v1/score-requests/" + id
	all := b.events("/v1/results/events")
	all.expect("0", "", "")
	one := b.events(path + "/events")
	one.expect("", "status", "PENDING")
	answers := make(chan reply, 3)
	for _, send := range []func() (reply, error){
		func() (reply, error) { return b.send(t.Context(), "GET", path, "", "Prefer: wait=50") },
		func() (reply, error) { return b.send(t.Context(), "GET", path+"/result", "", "Prefer: wait=50") },
		func() (reply, error) {
			return b.send(t.Context(), "POST", "/v1/score-requests", `{"customer_id":"42","product":"report"}`, "Prefer: wait=50")
		},
	} {
		go func() {
			r, err := send()
			if err != nil {
				t.Error(err)
			}
			answers <- r
		}()
	}
	b.await("scoreflow_requests_in_flight", `interface="http",kind="wait"`, "3")
	b.stop()
	statuses := map[int]int{}
	for range 3 {
		r := <-answers
		statuses[r.status]++
		if r.json["status"] != "PENDING" || r.header.Get("Retry-After") == "" || r.json["correlation_id"] != id {
			t.Error(r.body, r.header)
		}
	}
	if statuses[200] != 1 || statuses[202] != 2 {
		t.Error(statuses)
	}
	for _, s := range []*stream{all, one} {
		e := s.next()
		for e != nil && e["retry"] == "" {
			e = s.next()
		}
		if e == nil || s.next() != nil {
			t.Error("no hint when to come back, or no end")
		}
	}
}

// await polls the bridge's metrics until one has a value.
func (b *bridge) await(metric, labels, value string) {
	b.t.Helper()
	for b.t.Context().Err() == nil {
		if strings.Contains(b.operator("/metrics").body, metric+"{"+labels+"} "+value+"\n") {
			return
		}
	}
}

// operator asks the admin listener.
func (b *bridge) operator(path string) reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), "GET", b.admin+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return reply{status: resp.StatusCode, header: resp.Header, body: string(data)}
}

func TestHealthAndMetrics(t *testing.T) {
	b := start(t, nil)
	b.operator("/livez").expect(t, 200)
	b.operator("/readyz").expect(t, 200)
	if r := b.operator("/readyz?verbose"); r.status != 200 || r.body != "[+] nats: ok\n[+] draining: ok\n" {
		t.Error(r.body)
	}
	b.ask(`{"customer_id":"customer-0815"}`).expect(t, 200)
	b.do("GET", "/v1/customers/customer-0815/scores/credit", "").expect(t, 404)
	m := b.operator("/metrics").body
	for _, want := range []string{
		`scoreflow_requests_total{interface="http",operation="POST /v1/score-requests",outcome="200"} 1`,
		`scoreflow_requests_total{interface="http",operation="/",outcome="404"} 1`,
		`scoreflow_request_duration_seconds_count{interface="http",operation="POST /v1/score-requests"} 1`,
		`scoreflow_cache_lookups_total{result="miss"} 1`, `scoreflow_build_info{`,
	} {
		if !strings.Contains(m, want) {
			t.Errorf("no %s in %s", want, m)
		}
	}
	if strings.Contains(m, "0815") {
		t.Error("a customer's ID is in the metrics")
	}
}

// The broker goes away: those who ask are told so at once, and so are those who had asked; and everything goes on when it is back.
func TestTheBrokerIsAway(t *testing.T) {
	server := natstest.RunTCP(t)
	nc, err := bus.Connect(t.Context(), bus.Config{URL: server.URL(), Name: "bridge"}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), nc, store.Config{}); err != nil {
		t.Fatal(err)
	}
	silent := server.Conn() // takes requests and never answers
	requested := make(chan struct{}, 1)
	sub, err := silent.SubscribeSync("score.v1.request")
	if err != nil {
		t.Fatal(err)
	}
	if err := silent.Flush(); err != nil {
		t.Fatal(err)
	}
	go func() {
		if _, err := sub.NextMsgWithContext(t.Context()); err == nil {
			requested <- struct{}{}
		}
	}()
	b := startOn(t, server.URL(), nil, nil)
	answered := make(chan reply)
	go func() {
		r, _ := b.send(t.Context(), "POST", "/v1/score-requests", `{"customer_id":"42"}`)
		answered <- r
	}()
	<-requested
	began := time.Now()
	server.Stop()
	lost := <-answered
	for _, r := range []reply{lost, b.ask(`{"customer_id":"42"}`), b.do("POST", "/v1/scores:lookup", `{"customer_id":"42"}`)} {
		r.expect(t, 503, "Retry-After: 2", "Cache-Status: ")
		if r.json["code"] != "UNAVAILABLE" || r.json["retryable"] != true {
			t.Error(r.body)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Error("that took", took)
	}
	b.operator("/readyz").expect(t, 503)
	b.operator("/livez").expect(t, 200)
	server.Start()
	for b.operator("/readyz").status != 200 {
		if t.Context().Err() != nil {
			t.Fatal("it is not ready again")
		}
	}
	b.do("POST", "/v1/scores:lookup", `{"customer_id":"42"}`).expect(t, 503) // nobody serves it
	nc.Close()
}

func TestTooManyConnections(t *testing.T) {
	b := start(t, func(c *httpbridge.Config) { c.MaxConnections = 1 })
	s := b.events("/v1/results/events")
	s.expect("0", "", "")
	r := b.do("GET", "/v1/results/events", "")
	r.expect(t, 429, "Retry-After: 2")
	if r.json["code"] != "OVERLOADED" {
		t.Error(r.body)
	}
}

// Who is slow on purpose is not waited for.
func TestSlowClients(t *testing.T) {
	b := start(t, func(c *httpbridge.Config) { c.ReadTimeout = time.Second })
	for name, head := range map[string]string{
		"head":            "GET /v1/results/events HTTP/1.1\r\nHost: x\r\nX: ",
		"body":            "POST /v1/score-requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		"body of no use":  "POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
		"body of a fetch": "GET /v1/score-requests/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, head); err != nil {
				t.Fatal(err)
			}
			if err := c.SetReadDeadline(time.Now().Add(25 * time.Second)); err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(c)
			if err != nil {
				t.Errorf("it was not cut off: %v after %q", err, data)
			}
			if name == "body" && !strings.HasPrefix(string(data), "HTTP/1.1 408 ") {
				t.Errorf("got %q", data)
			}
		})
	}
}

func TestConfigNamesTheField(t *testing.T) {
	for field, change := range map[string]func(*httpbridge.Config){
		"default_wait":    func(c *httpbridge.Config) { c.DefaultWait = -1 },
		"max_wait":        func(c *httpbridge.Config) { c.MaxWait = -1 },
		"heartbeat":       func(c *httpbridge.Config) { c.Heartbeat = -1 },
		"read_timeout":    func(c *httpbridge.Config) { c.ReadTimeout = -1 },
		"max_connections": func(c *httpbridge.Config) { c.MaxConnections = -1 },
		"public_url":      func(c *httpbridge.Config) { c.PublicURL = "scores.example.com" },
	} {
		cfg := httpbridge.Config{}.WithDefaults()
		if err := cfg.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
