package httpbridge_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/services/httpbridge"
)

func TestTheWayOfARequest(t *testing.T) {
	b := start(t, nil)
	id := b.pending("42")
	path := "/v1/score-requests/" + id

	pending := b.do("GET", path, "")
	pending.expect(t, 200, "Cache-Control: no-store", "Correlation-Id: "+id, "Vary: Prefer")
	if pending.json["status"] != "PENDING" || pending.header.Get("Retry-After") == "" {
		t.Error(pending.body, pending.header)
	}
	b.do("GET", path, "", "Prefer: wait=0").expect(t, 200, "Preference-Applied: wait=0")
	b.do("GET", path+"/result", "").expect(t, 202, "Location: "+path)

	polled := make(chan reply)
	for _, p := range []string{path, path + "/result"} {
		go func() {
			r, _ := b.send(t.Context(), "GET", p, "", "Prefer: wait=30")
			polled <- r
		}()
	}
	b.complete(id).expect(t, 200, "Correlation-Id: "+id)
	for range 2 {
		if r := <-polled; r.status != 303 && r.status != 200 || r.json["status"] != "READY" {
			t.Error(r.status, r.body)
		}
	}

	done := b.do("GET", path, "")
	done.expect(t, 303, "Location: "+path+"/result")
	if done.json["status"] != "READY" {
		t.Error(done.body)
	}
	result := b.do("GET", path+"/result", "")
	result.expect(t, 200, "Cache-Control: private, max-age=3600", "Vary: Prefer")
	if result.json["status"] != "READY" || result.json["age"] != nil || result.header.Get("Age") == "" {
		t.Error(result.body, result.header)
	}
	tag := result.header.Get("Etag")
	for _, known := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		r := b.do("GET", path+"/result", "", "If-None-Match: "+known)
		r.expect(t, 304, "Etag: "+tag, "Cache-Control: private, max-age=3600", "Vary: Prefer")
		if r.body != "" {
			t.Error(r.body)
		}
	}
	b.do("GET", path+"/result", "", `If-None-Match: "other"`).expect(t, 200)
	head := b.do("HEAD", path+"/result", "")
	head.expect(t, 200, "Etag: "+tag)
	if head.body != "" {
		t.Error(head.body)
	}
	if b.complete(id).json["duplicate"] != nil && b.complete(id).json["duplicate"] != true {
		t.Error("what was a duplicate?")
	}
}

func TestLookupByCustomer(t *testing.T) {
	b := start(t, func(c *httpbridge.Config) { c.CustomerURLs = true })
	const customer = "a/b ü?%"
	byURL := "/v1/customers/" + url.PathEscape(customer) + "/scores/credit"
	b.do("POST", "/v1/scores:lookup", `{"customer_id":"`+customer+`"}`).expect(t, 404)
	b.do("GET", byURL, "").expect(t, 404)
	b.ask(`{"customer_id":"`+customer+`"}`).expect(t, 200)
	found := b.do("POST", "/v1/scores:lookup", `{"customer_id":"`+customer+`","product":"credit"}`)
	found.expect(t, 200, "Cache-Control: private, max-age=86400")
	if found.json["customer_id"] != customer {
		t.Error(found.body)
	}
	got := b.do("GET", byURL, "")
	got.expect(t, 200, "Etag: "+found.header.Get("Etag"))
	b.do("GET", byURL, "", "If-None-Match: "+got.header.Get("Etag")).expect(t, 304)

	id := b.pending("44")
	r := b.do("POST", "/v1/scores:lookup", `{"customer_id":"44","product":"report"}`)
	r.expect(t, 202, "Location: /v1/score-requests/"+id)
	b.complete(id).expect(t, 200)
	b.do("POST", "/v1/scores:lookup", `{"customer_id":"44","product":"report"}`, "Prefer: wait=30").expect(t, 200)
	for field, body := range map[string]string{
		"correlation_id": `{"correlation_id":"` + id + `"}`, "customer_id": `{}`, "wait": `{"customer_id":"1","wait":"1s"}`, "product": `{"customer_id":"1","product":"x"}`,
	} {
		bad := b.do("POST", "/v1/scores:lookup", body)
		bad.expect(t, 400)
		if bad.json["field"] != field {
			t.Error(field, bad.body)
		}
	}
}

func TestCustomerURLsAreOffUnlessConfigured(t *testing.T) {
	b := start(t, nil)
	b.do("GET", "/v1/customers/42/scores/credit", "").expect(t, 404)
}

func TestWhatIsNotThere(t *testing.T) {
	b := start(t, nil)
	key := correlation.Key{Product: "credit", Slot: "0a1b2c"}
	unknown := correlation.NewID(key, time.Now()).String()
	old := correlation.NewID(key, time.Now().Add(-25*time.Hour)).String()
	for _, path := range []string{"", "/result", "/events"} {
		r := b.do("GET", "/v1/score-requests/"+unknown+path, "")
		r.expect(t, 404, "Content-Type: application/problem+json; charset=utf-8")
		if r.json["code"] != "NOT_FOUND" || r.json["correlation_id"] != unknown {
			t.Error(r.body)
		}
		r = b.do("GET", "/v1/score-requests/"+old+path, "")
		r.expect(t, 410)
		if r.json["code"] != "GONE" {
			t.Error(r.body)
		}
		r = b.do("GET", "/v1/score-requests/nonsense"+path, "")
		r.expect(t, 400)
		if r.json["field"] != "correlation_id" || r.json["errors"] != nil {
			t.Error(r.body)
		}
	}
}

func TestBackendsNotify(t *testing.T) {
	b := start(t, nil)
	id := b.pending("42")
	path := "/v1/backend/completions/" + id
	token := "Authorization: Bearer " + b.report.Call(id).Token
	r := b.do("POST", path, report)
	r.expect(t, 401, "Www-Authenticate: Bearer")
	b.do("POST", path, report, "Authorization: Basic eDp5").expect(t, 401)
	wrong := b.do("POST", path, report, "Authorization: Bearer wrong")
	wrong.expect(t, 403)
	if wrong.json["code"] != "PERMISSION_DENIED" || wrong.json["field"] != "Authorization" {
		t.Error(wrong.body)
	}
	bad := b.do("POST", path, `{"score":{"outcome":"SCORED"}}`, token)
	bad.expect(t, 400)
	if f, _ := bad.json["field"].(string); f == "" || f[:6] != "score." {
		t.Error(bad.body)
	}
	b.do("POST", path, report, token).expect(t, 200)
	b.do("GET", "/v1/score-requests/"+id, "", "Prefer: wait=30").expect(t, 303)
	b.do("POST", path, report, token).expect(t, 200)
	b.do("POST", path, `{"failure":{"code":"BACKEND_DECLINED"}}`, "authorization: bearer "+b.report.Call(id).Token).expect(t, 200)
}
