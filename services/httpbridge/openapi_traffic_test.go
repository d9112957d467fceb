package httpbridge_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/google/go-cmp/cmp"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/services/httpbridge"
	"github.com/scoreflow/scoreflow/services/httpbridge/webhook"
)

func everything(c *httpbridge.Config) {
	c.CustomerURLs = true
	c.ReadTimeout = 200 * time.Millisecond
	c.Webhooks = &webhook.Config{AllowHTTP: true, AllowPrivate: true}
}

// TestTheDocumentIsTrue holds every route, status, header and example of the OpenAPI document against a bridge: whatever is answered is
// documented, and whatever is documented is answered.
func TestTheDocumentIsTrue(t *testing.T) {
	d := openDocument(t)
	b := start(t, everything)
	b.client = d.recorded()
	x := &traffic{document: d, bridge: b}
	x.examples()
	x.way()
	x.webhooks()
	x.operators()
	x.files()
	x.refusals()
	x.outage(t)
	x.crowd(t)
	d.finish()
}

func TestTheDocumentHasAllRoutes(t *testing.T) {
	var documented []string
	d := openDocument(t)
	for _, name := range d.operations() {
		if d.operation(name).Tags[0] != "operators" {
			documented = append(documented, pattern(name))
		}
	}
	served := start(t, everything).served.Patterns()
	slices.Sort(served)
	slices.Sort(documented)
	if diff := cmp.Diff(served, documented); diff != "" {
		t.Error(diff)
	}
}

// traffic is what the document is held against.
type traffic struct {
	*document
	*bridge
}

// id names a calculation that nobody has heard of.
func id(age time.Duration) string {
	return correlation.NewID(correlation.Key{Product: "credit", Slot: "0a1b2c"}, time.Now().Add(-age)).String()
}

// send fills in the path of an operation and sends it.
func (x *traffic) send(operation, cid, body string, headers ...string) reply {
	x.bridge.t.Helper()
	method, path, _ := strings.Cut(operation, " ")
	path = strings.NewReplacer("{cid}", cid, "{id}", cid, "{customer_id}", "42", "{product}", "credit", "{file}", "main.js").Replace(path)
	return x.do(method, path, body, headers...)
}

// examples sends the examples of requests, so that the examples of answers have something to be like.
func (x *traffic) examples() {
	x.bridge.t.Helper()
	const asks = "POST /v1/score-requests"
	for _, name := range []string{"ready", "declined", "pending"} {
		if r := x.send(asks, "", x.example(asks, name)); r.status >= 300 {
			x.bridge.t.Errorf("%s: %s", name, r.body)
		}
	}
	for _, name := range []string{"ready", "pending"} {
		if r := x.send("POST /v1/scores:lookup", "", x.example("POST /v1/scores:lookup", name)); r.status >= 300 {
			x.bridge.t.Errorf("%s: %s", name, r.body)
		}
	}
}

func (x *traffic) example(operation, name string) string {
	x.bridge.t.Helper()
	example := x.operation(operation).RequestBody.Value.Content.Get("application/json").Examples[name]
	if example == nil {
		x.bridge.t.Fatalf("%s has no example %s", operation, name)
	}
	data, err := json.Marshal(example.Value.Value)
	if err != nil {
		x.bridge.t.Fatal(err)
	}
	return string(data)
}

// way takes requests all the way.
func (x *traffic) way() {
	t := x.bridge.t
	t.Helper()
	asked := x.ask(`{"customer_id":"43","product":"report"}`, "Prefer: respond-async, wait=0", "X-Request-Id: mine")
	asked.expect(t, 202)
	cid := asked.json["correlation_id"].(string)
	path := "/v1/score-requests/" + cid
	for _, p := range []string{path, path + "/result"} {
		x.do("GET", p, "")
		x.do("GET", p, "", "Prefer: wait=0")
	}
	x.do("POST", "/v1/scores:lookup", `{"customer_id":"43","product":"report"}`, "Prefer: wait=0").expect(t, 202)
	byURL := "/v1/customers/43/scores/report"
	x.do("GET", byURL, "", "Prefer: wait=0").expect(t, 202)
	x.ask(`{"customer_id":"42"}`, "Prefer: wait=1").expect(t, 200)

	const requestEvents = "GET /v1/score-requests/{cid}/events"
	events := x.follow(path + "/events")
	text := events(1)
	const complete = "POST /v1/backend/completions/{cid}"
	token := "Authorization: Bearer " + x.report.Call(cid).Token
	x.send(complete, cid, x.example(complete, "score"), token).expect(t, 200)
	x.send(complete, cid, x.example(complete, "score"), "Authorization: Bearer wrong", "Correlation-Id: theirs").expect(t, 403)
	x.send(complete, cid, x.example(complete, "score"), "Correlation-Id: theirs").expect(t, 401)
	last := events(1)
	x.read(requestEvents, text+last)
	place := strings.TrimSpace(strings.TrimPrefix(strings.Split(last, "\n")[0], "id:"))
	x.do("GET", path+"/events", "", "Last-Event-ID: "+place).expect(t, 204)

	x.do("GET", path, "", "Prefer: wait=30").expect(t, 303)
	ready := x.ask(`{"customer_id":"42"}`).json["correlation_id"].(string)
	x.do("GET", "/v1/score-requests/"+ready, "").expect(t, 303)
	for _, p := range []string{"/v1/score-requests/" + ready + "/result", "/v1/customers/42/scores/credit"} {
		r := x.do("GET", p, "", "Prefer: wait=1")
		r.expect(t, 200)
		x.do("GET", p, "", "If-None-Match: "+r.header.Get("Etag")).expect(t, 304)
	}
	x.do("POST", "/v1/scores:lookup", `{"customer_id":"42"}`, "Prefer: wait=1").expect(t, 200)

	ended := x.ask(`{"customer_id":"46","product":"report"}`, "Prefer: respond-async").json["correlation_id"].(string)
	x.report.Call(ended)
	if _, err := x.nc.RequestWithContext(t.Context(), "score.v1.abort", []byte(`{"correlation_id":"`+ended+`","reason":"asked for by mistake"}`)); err != nil {
		t.Fatal(err)
	}
	x.do("GET", "/v1/score-requests/"+ended, "", "Prefer: wait=30").expect(t, 303)
	results := x.follow("/v1/results/events?after=0")
	for range 4 { // customers 42, 45, 43 and 46 in any order
		x.read("GET /v1/results/events", results(1))
	}
}

// follow opens a stream of events; what it returns reads so many of them.
func (x *traffic) follow(path string) (next func(n int) string) {
	t := x.bridge.t
	t.Helper()
	resp, err := x.open(t.Context(), "GET", path, "", "Correlation-Id: theirs")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	lines := bufio.NewReader(resp.Body)
	return func(n int) string {
		var text strings.Builder
		for n > 0 {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			text.WriteString(line)
			if line == "\n" && strings.Contains(text.String(), "data:") {
				n--
			}
		}
		return text.String()
	}
}

func (x *traffic) webhooks() {
	t := x.bridge.t
	t.Helper()
	const root = "/v1/webhook-endpoints"
	create := x.example("POST "+root, "created")
	const theirs = "Correlation-Id: theirs"
	x.do("POST", root, create, theirs).expect(t, 201)
	x.do("POST", root, create, theirs).expect(t, 409)
	x.do("GET", root, "", theirs).expect(t, 200)
	for _, c := range []struct{ method, path, body string }{
		{"GET", "", ""},
		{"POST", "/rotate-secret", ""},
		{"POST", "/pause", ""},
		{"POST", "/resume", ""},
		{"POST", "/test", ""},
		{"GET", "/deliveries", ""},
		{"GET", "/deliveries?limit=1&state=failed&after=0", ""},
		{"POST", "/replay", x.example("POST "+root+"/{id}/replay", "failed")},
	} {
		if r := x.do(c.method, root+"/crm"+c.path, c.body, theirs); r.status >= 300 {
			t.Errorf("%s %s: %d %s", c.method, c.path, r.status, r.body)
		}
	}
	x.do("GET", root+"/crm/deliveries?state=none", "", theirs).expect(t, 400)
	x.ask(`{"customer_id":"42","notify":"crm"}`).expect(t, 200)
	x.do("GET", root+"/crm/deliveries", "").expect(t, 200)
	x.do("DELETE", root+"/crm", "", theirs).expect(t, 204)

	received := make(chan error, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { received <- x.receive(r) }))
	defer receiver.Close()
	for _, payload := range []string{"thin", "full"} {
		x.do("POST", root, `{"id":"`+payload+`","url":"`+receiver.URL+`","payload":"`+payload+`"}`).expect(t, 201)
		x.ask(`{"customer_id":"43","product":"report","notify":"`+payload+`"}`).expect(t, 200)
		x.do("POST", root+"/"+payload+"/test", "").expect(t, 200)
		for range 2 {
			if err := <-received; err != nil {
				t.Error(err)
			}
		}
	}
}

// admins is the same at the address for operators.
func (x *traffic) admins() *traffic {
	b := *x.bridge
	b.url = b.admin
	return &traffic{document: x.document, bridge: &b}
}

func (x *traffic) operators() {
	for _, path := range []string{"/livez", "/readyz", "/readyz?verbose=", "/healthz", "/metrics"} {
		x.admins().do("GET", path, "").expect(x.bridge.t, 200)
	}
}

func (x *traffic) files() {
	t := x.bridge.t
	for _, path := range []string{"/", "/console/main.js", "/console/console.css", "/console/icon.svg", "/openapi.yaml", "/asyncapi.yaml"} {
		r := x.do("GET", path, "", "Correlation-Id: theirs")
		r.expect(t, 200)
		x.do("GET", path, "", "Correlation-Id: theirs", "If-None-Match: "+r.header.Get("Etag")).expect(t, 304)
	}
	x.do("GET", "/console/none.js", "", "Correlation-Id: theirs").expect(t, 404)
}

// refusals sends each operation what it says that it refuses.
func (x *traffic) refusals() {
	t := x.bridge.t
	theirs := "Correlation-Id: theirs"
	for _, name := range x.with(400) {
		switch {
		case strings.Contains(name, "{cid}"):
			x.send(name, "nonsense", "", theirs).expect(t, 400)
		case strings.HasPrefix(name, "POST"):
			x.send(name, "any", `{"unknown":1}`, theirs).expect(t, 400)
		}
	}
	x.do("GET", "/v1/results/events", "", "Last-Event-ID: x", theirs).expect(t, 400)
	x.do("GET", "/v1/customers/42/scores/none", "", theirs).expect(t, 400)
	for _, name := range x.with(404) {
		body := ""
		switch {
		case strings.HasSuffix(name, ":lookup"):
			body = `{"customer_id":"nobody"}`
		case strings.HasSuffix(name, "/replay"):
			body = `{"since":"2026-11-23T00:00:00Z"}`
		case strings.HasPrefix(name, "GET /v1/customers"):
			x.do("GET", "/v1/customers/nobody/scores/credit", "", theirs).expect(t, 404)
			continue
		case strings.Contains(name, "{file}"):
			continue
		}
		x.send(name, id(0), body, theirs).expect(t, 404)
	}
	for _, name := range x.with(410) {
		x.send(name, id(25*time.Hour), "", theirs).expect(t, 410)
	}
	for _, name := range x.with(413) {
		some := "Authorization: Bearer any"
		x.send(name, id(0), strings.Repeat(" ", 70_000), some, theirs).expect(t, 413)
		x.send(name, id(0), "x", "Content-Type: text/plain", some, theirs).expect(t, 415)
		x.send(name, id(0), "x", "Content-Encoding: gzip", some, theirs).expect(t, 415)
		x.slow(name, some, theirs)
	}
	x.ask(`{"customer_id":"nobody"}`, "Cache-Control: only-if-cached", theirs).expect(t, 504)
}

// slow sends a body that does not arrive.
func (x *traffic) slow(name string, headers ...string) {
	t := x.bridge.t
	method, path, _ := strings.Cut(name, " ")
	body, never := io.Pipe()
	defer never.Close()
	req, err := http.NewRequestWithContext(t.Context(), method, x.bridge.url+strings.NewReplacer("{cid}", id(0), "{id}", "any").Replace(path), body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for _, h := range headers {
		key, value, _ := strings.Cut(h, ": ")
		req.Header.Set(key, value)
	}
	resp, err := x.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%s: %s", name, resp.Status)
	}
}

// outage asks everything while the broker is away.
func (x *traffic) outage(t *testing.T) {
	server := natstest.RunTCP(t)
	nc, err := bus.Connect(t.Context(), bus.Config{URL: server.URL(), Name: "stores"}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := store.Open(t.Context(), nc, store.Config{}); err != nil {
		t.Fatal(err)
	}
	b := startOn(t, server.URL(), nil, everything)
	b.client = x.client
	away := &traffic{document: x.document, bridge: b}
	server.Stop()
	began := time.Now()
	away.ask(`{"customer_id":"42","notify":"crm"}`).expect(t, 503)
	for _, name := range away.with(503) {
		to, names, body := away, id(0), ""
		if tag := away.operation(name).Tags[0]; tag == "operators" {
			to = away.admins()
		} else if tag == "webhooks" {
			names = "crm"
		}
		if in := away.operation(name).RequestBody; in != nil {
			for example := range in.Value.Content.Get("application/json").Examples {
				body = away.example(name, example)
			}
		}
		to.send(name, names, body, "Authorization: Bearer any", "Correlation-Id: theirs").expect(t, 503)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("%v is not at once", took)
	}
}

// crowd asks everything on a connection that is one too many.
func (x *traffic) crowd(t *testing.T) {
	b := startOn(t, x.nats, x.report, func(c *httpbridge.Config) {
		everything(c)
		c.MaxConnections = 1
	})
	first, err := b.open(t.Context(), "GET", "/v1/results/events", "")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Body.Close()
	b.client = x.client
	for _, name := range x.with(429) {
		(&traffic{document: x.document, bridge: b}).send(name, id(0), "", "Correlation-Id: theirs").expect(t, 429)
	}
}
