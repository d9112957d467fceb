package httpbridge_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/services/dev"
	"github.com/scoreflow/scoreflow/services/httpbridge"
)

// Whatever is sent to whichever route: there is an answer, no defect shows, and an error is a problem in the suite's words.
func FuzzRoutes(f *testing.F) {
	suite, err := dev.New(f.Context(), dev.Config{Store: f.TempDir(), AdapterListen: "127.0.0.1:0", DemoListen: "127.0.0.1:0"}, zap.NewNop())
	if err != nil {
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(f.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = suite.Run(ctx) })
	f.Cleanup(running.Wait)
	f.Cleanup(stop)
	nc, err := bus.Connect(f.Context(), bus.Config{URL: suite.URL(), Name: "bridge"}, zap.NewNop())
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(nc.Close)
	s, err := httpbridge.New(f.Context(), httpbridge.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", CustomerURLs: true, MaxWait: time.Millisecond, DefaultWait: time.Millisecond,
	}, nc, zap.NewNop())
	if err != nil {
		f.Fatal(err)
	}
	running.Go(func() { _ = s.Run(ctx) })
	const id = "01a20838-d9a8-8885-b7c1-48902e0d5518"
	for _, seed := range [][4]string{
		{"POST", "/v1/score-requests", "Prefer: respond-async, wait=1", `{"customer_id":"42"}`},
		{"POST", "/v1/score-requests", "Cache-Control: max-age=0, only-if-cached", `{"customer_id":"42","notify":"x","wait":"1s"}`},
		{"GET", "/v1/score-requests/" + id, "Prefer: wait=1", ""},
		{"GET", "/v1/score-requests/" + id + "/result", `If-None-Match: W/"a", *`, ""},
		{"GET", "/v1/score-requests/" + id + "/events", "Last-Event-ID: 1", ""},
		{"HEAD", "/v1/results/events?after=0", "Last-Event-ID: 1", ""},
		{"POST", "/v1/scores:lookup", "Content-Type: application/json", `{"customer_id":"42","min_revision":"7"}`},
		{"GET", "/v1/customers/%2F%00/scores/credit", "X-Request-Id: \x01", ""},
		{"POST", "/v1/backend/completions/" + id, "Authorization: Bearer x", `{"score":{"outcome":"NO_HIT"}}`},
		{"PUT", "//v1/../x", "Traceparent: 00-", "[[[["},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, method, path, header, body string) {
		name, value, _ := strings.Cut(header, ":")
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr(), strings.NewReader(body))
		if err != nil || strings.ContainsAny(path, "\r\n ") || path == "" || path[0] != '/' || method == "CONNECT" {
			return
		}
		req.URL.Opaque = "//" + s.Addr() + path
		if method == "POST" {
			req.Header.Set("Content-Type", "application/json")
		}
		req.Header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
		if strings.EqualFold(name, "expect") || strings.EqualFold(name, "upgrade") {
			return
		}
		resp, err := transport(s.Addr()).RoundTrip(req)
		if err != nil {
			return // the client found it bad
		}
		defer resp.Body.Close()
		if resp.Header.Get("Content-Type") == "text/event-stream" {
			return // it does not end
		}
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		// What net/http refuses itself, before there is a request, is plain text and ends the connection.
		if resp.StatusCode >= 400 && resp.Header.Get("X-Request-Id") != "" && method != "HEAD" {
			var p struct {
				Code   string
				Status int
			}
			if resp.Header.Get("Content-Type") != "application/problem+json; charset=utf-8" || json.Unmarshal(data, &p) != nil ||
				p.Code == "" || p.Code == "INTERNAL" || p.Status != resp.StatusCode {
				t.Fatalf("%s %q %q %q: %s %s", method, path, header, body, resp.Status, data)
			}
		}
		if resp.StatusCode == 500 {
			t.Fatalf("%s %q %q %q: %s", method, path, header, body, data)
		}
	})
}

// transport is one connection to the bridge.
func transport(addr string) *http.Transport {
	return &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, addr)
		},
	}
}
