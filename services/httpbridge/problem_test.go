package httpbridge_test

import (
	"strings"
	"testing"
)

func TestBadRequests(t *testing.T) {
	b := start(t, nil)
	const asks = "/v1/score-requests"
	for _, c := range []struct {
		name, method, path, body, header string
		status                           int
		field                            string
	}{
		{"unknown path", "GET", "/v2/scores", "", "", 404, ""},
		{"method", "GET", asks, "", "", 405, ""},
		{"method of another", "DELETE", "/v1/score-requests/x", "", "", 405, ""},
		{"options", "OPTIONS", asks, "", "", 405, ""},
		{"made up method", "BREW", asks, "", "", 405, ""},
		{"media type", "POST", asks, `{}`, "Content-Type: text/plain", 415, "Content-Type"},
		{"a form", "POST", asks, `a=b`, "Content-Type: application/x-www-form-urlencoded", 415, "Content-Type"},
		{"no media type", "POST", asks, `{}`, "Content-Type: ", 415, "Content-Type"},
		{"charset", "POST", asks, `{}`, "Content-Type: application/json; charset=latin1", 415, "Content-Type"},
		{"encoded", "POST", asks, `{}`, "Content-Encoding: gzip", 415, "Content-Encoding"},
		{"too large", "POST", asks, `{"customer_id":"` + strings.Repeat("x", 70_000) + `"}`, "", 413, ""},
		{"deep", "POST", asks, strings.Repeat("[", 1000), "", 400, ""},
		{"deep and unknown", "POST", asks, `{"x":` + strings.Repeat(`{"a":`, 1000), "", 400, ""},
		{"empty", "POST", asks, ``, "Content-Type: application/json", 400, ""},
		{"no JSON", "POST", asks, `{"customer_id":`, "", 400, ""},
		{"unknown member", "POST", asks, `{"customer":"42"}`, "", 400, "customer"},
		{"a member twice", "POST", asks, `{"customer_id":"42","customer_id":"43"}`, "", 400, "customer_id"},
		{"no customer", "POST", asks, `{}`, "", 400, "customer_id"},
		{"type", "POST", asks, `{"customer_id":42}`, "", 400, "customer_id"},
		{"negative wait", "POST", asks, `{"customer_id":"42","wait":"-1s"}`, "", 400, "wait"},
		{"not UTF-8", "POST", asks, "{\"customer_id\":\"\xff\"}", "", 400, ""},
		{"id of an event", "GET", "/v1/results/events", "", "Last-Event-ID: x", 400, "Last-Event-ID"},
	} {
		r := b.do(c.method, c.path, c.body, append([]string{"Correlation-Id: theirs"}, nonEmpty(c.header)...)...)
		r.expect(t, c.status, "Content-Type: application/problem+json; charset=utf-8", "Cache-Control: no-store", "Correlation-Id: theirs")
		field, _ := r.json["field"].(string)
		if c.field != "" && field != c.field || r.json["code"] == nil || r.json["status"] != float64(c.status) || r.json["title"] == nil ||
			r.json["instance"] != "urn:request:"+r.header.Get("X-Request-Id") || r.json["retryable"] != false {
			t.Errorf("%s: %s", c.name, r.body)
		}
	}
	b.do("DELETE", "/v1/score-requests/x", "").expect(t, 405, "Allow: GET, HEAD")
	b.do("GET", asks, "").expect(t, 405, "Allow: POST")
	b.ask(`{"customer_id":"42","attributes":{"a":{}}}`).expect(t, 400)
	r := b.ask(`{"customer_id":"42","product":"none"}`)
	if errs, ok := r.json["errors"].([]any); !ok || errs[0].(map[string]any)["pointer"] != "#/product" {
		t.Error(r.body)
	}
	// What is not a name of a request is replaced.
	if r := b.do("GET", "/nothing", "", "X-Request-Id: a b", "Correlation-Id: a b"); strings.Contains(r.header.Get("X-Request-Id"), " ") ||
		r.header.Get("Correlation-Id") != "" {
		t.Error(r.header)
	}
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
