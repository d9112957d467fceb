package httpbridge_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dunglas/httpsfv"

	"github.com/scoreflow/scoreflow/pkg/trace"
	"github.com/scoreflow/scoreflow/services/httpbridge"
	"github.com/scoreflow/scoreflow/services/httpbridge/webhook"
)

func TestAskIsAnsweredAndThenFromTheCache(t *testing.T) {
	b := start(t, nil)
	first := b.ask(`{"customer_id":"42","client_reference":"mine"}`, "X-Request-Id: my-request")
	first.expect(t, 200, "Content-Type: application/json; charset=utf-8", "Cache-Status: scoreflow;fwd=miss;stored", "Vary: Prefer",
		"X-Request-Id: my-request", "Correlation-Id: "+first.json["correlation_id"].(string), "Age: 0", "Cache-Control: private, max-age=86400")
	if first.json["status"] != "READY" || first.json["cache"] != "MISS" || first.json["client_reference"] != "mine" || first.json["age"] != nil ||
		first.header.Get("Etag") != `"r`+first.json["revision"].(string)+`-j1"` {
		t.Error(first.body, first.header)
	}
	second := b.ask(`{"customer_id":"42"}`, "Prefer: wait=5")
	second.expect(t, 200, "Preference-Applied: wait=5", "Etag: "+first.header.Get("Etag"))
	if second.json["cache"] != "HIT" || !strings.HasPrefix(second.header.Get("Cache-Status"), "scoreflow;hit;ttl=86") {
		t.Error(second.body, second.header)
	}
	for _, r := range []reply{first, second} {
		if list, err := httpsfv.UnmarshalList(r.header["Cache-Status"]); err != nil || len(list) != 1 {
			t.Error("not the list that RFC 9211 asks for:", r.header["Cache-Status"], err)
		}
	}
	third := b.ask(`{"customer_id":"42"}`, "Cache-Control: no-cache")
	third.expect(t, 200, "Cache-Status: scoreflow;fwd=request;stored")
	if third.json["correlation_id"] == first.json["correlation_id"] {
		t.Error("no-cache was answered from the cache")
	}
	b.ask(`{"customer_id":"42"}`, "Cache-Control: only-if-cached, min-fresh=60").expect(t, 200)
	b.ask(`{"customer_id":"42"}`, "Cache-Control: only-if-cached, min-fresh=99999").expect(t, 504)
	missed := b.ask(`{"customer_id":"43"}`, "Cache-Control: only-if-cached")
	missed.expect(t, 504, "Content-Type: application/problem+json; charset=utf-8", "Retry-After: ")
	if missed.json["code"] != "NOT_CACHED" {
		t.Error(missed.body)
	}
	b.ask(`{"customer_id":"43"}`, "Cache-Control: only-if-cached, no-cache").expect(t, 504)
}

func TestAskRespondsAsync(t *testing.T) {
	b := start(t, nil)
	for prefer, applied := range map[string]string{
		"respond-async": "respond-async", "respond-async, wait=0": "respond-async, wait=0", "wait=0": "wait=0", `Wait="0" ; x=y`: "wait=0",
	} {
		r := b.ask(`{"customer_id":"42","product":"report"}`, "Prefer: "+prefer)
		location := "/v1/score-requests/" + r.json["correlation_id"].(string)
		r.expect(t, 202, "Location: "+location, "Operation-Location: "+b.url+location, "Preference-Applied: "+applied,
			"Cache-Control: no-store", "Correlation-Id: "+r.json["correlation_id"].(string), "Etag: ")
		if r.json["status"] != "PENDING" || r.header.Get("Retry-After") == "" {
			t.Error(prefer, r.body)
		}
	}
}

func TestAskWaitsForTheResult(t *testing.T) {
	b := start(t, nil)
	id := b.pending("42")
	answered := make(chan reply)
	for range 2 {
		go func() {
			r, _ := b.send(t.Context(), "POST", "/v1/score-requests", `{"customer_id":"42","product":"report","client_reference":"x"}`, "Prefer: wait=30")
			answered <- r
		}()
	}
	b.complete(id).expect(t, 200)
	for range 2 {
		r := <-answered
		r.expect(t, 200)
		if r.json["correlation_id"] != id || r.json["client_reference"] != "x" || r.json["cache"] == nil {
			t.Error(r.body)
		}
	}
}

func TestAFailedCalculationIsNoFailedRequest(t *testing.T) {
	b := start(t, nil)
	r := b.ask(`{"customer_id":"45","attributes":{"demo":"decline"}}`)
	r.expect(t, 200, "Cache-Control: private, no-cache")
	if r.json["status"] != "FAILED" || r.json["failure"].(map[string]any)["code"] != "BACKEND_DECLINED" {
		t.Error(r.body)
	}
	id := r.json["correlation_id"].(string)
	b.do("GET", "/v1/score-requests/"+id, "").expect(t, 303)
	b.do("GET", "/v1/score-requests/"+id+"/result", "").expect(t, 200)
}

func TestTheTraceContextReachesTheBackend(t *testing.T) {
	b := start(t, nil)
	const parent, state = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "rojo=00f067aa0ba902b7"
	r := b.ask(`{"customer_id":"42","product":"report"}`, "Prefer: wait=0", "Traceparent: "+parent, "Tracestate: "+state, "Baggage: a=b")
	call := b.report.Call(r.json["correlation_id"].(string))
	if got := trace.FromHeader(call.Header); got != (trace.Context{Parent: parent, State: state}) || call.Header.Get("Baggage") != "" {
		t.Errorf("the backend got %v", call.Header)
	}
	r = b.ask(`{"customer_id":"43","product":"report"}`, "Prefer: wait=0", "Traceparent: 00-nonsense", "Tracestate: "+state)
	call = b.report.Call(r.json["correlation_id"].(string))
	if call.Header.Get("Traceparent") != "" || call.Header.Get("Tracestate") != "" {
		t.Errorf("the backend got %v", call.Header)
	}
}

func TestThePublicURLIsWhatClientsAreTold(t *testing.T) {
	b := start(t, func(c *httpbridge.Config) { c.PublicURL = "https://scores.example.com/api/" })
	r := b.ask(`{"customer_id":"42","product":"report"}`, "Prefer: wait=0", "X-Forwarded-Host: evil.example")
	location := "/api/v1/score-requests/" + r.json["correlation_id"].(string)
	r.expect(t, 202, "Location: "+location, "Operation-Location: https://scores.example.com"+location)
}

func TestAskNamesWhoIsToBeNotified(t *testing.T) {
	told := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told <- string(body)
	}))
	t.Cleanup(receiver.Close)
	b := start(t, func(c *httpbridge.Config) { c.Webhooks = &webhook.Config{AllowHTTP: true, AllowPrivate: true} })
	b.do("POST", "/v1/webhook-endpoints", `{"id":"mine","url":"`+receiver.URL+`"}`).expect(t, 201)
	r := b.ask(`{"customer_id":"42","notify":"mine"}`)
	r.expect(t, 200)
	if got, id := <-told, r.json["correlation_id"].(string); !strings.Contains(got, id) {
		t.Errorf("told %s, not of %s", got, id)
	}
	b.await("scoreflow_webhook_deliveries_total", `outcome="delivered"`, "1")
	for _, bad := range []string{`"theirs"`, `""`, `7`, `["mine"]`, `null`} {
		r := b.ask(`{"customer_id":"42","notify":` + bad + `}`)
		r.expect(t, 400)
		if r.json["field"] != "notify" {
			t.Error(bad, r.body)
		}
	}
	b.ask(`{"customer_id":"\"notify\""}`).expect(t, 200)
	without := startOn(t, b.nats, nil, nil).ask(`{"customer_id":"42","notify":"mine"}`)
	without.expect(t, 400)
	if without.json["field"] != "notify" {
		t.Error(without.body)
	}
}
