package webhook

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/scoreflow/scoreflow/pkg/subject"
)

// FuzzDocuments has documents read that somebody else may have written: what is taken can be worked with.
func FuzzDocuments(f *testing.F) {
	f.Add([]byte(`{"id":"crm","url":"https://example.com","payload":"thin","state":"active","secrets":[{"symmetric":"whsec_","private":"whsk_"}]}`))
	f.Add([]byte(`{"id":"msg_1","state":"pending","event":{"type":"score.completed"},"attempts":[{"at":"2026-01-01T00:00:00Z"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if e, err := readEndpoint(data); err == nil {
			e.rotate(secret{}, epoch, time.Hour)
			view(e)
			_, _ = sign(e.Secrets, "msg_1", epoch, nil)
		}
		d, err := readDelivery(data)
		if err != nil {
			return
		}
		d.step(epoch, time.Minute)
		d.begin(epoch)
		d.end(epoch, outcome{status: 500, problem: refused}, StandardPolicy(), epoch)
		if _, err := json.Marshal(d); err != nil && d.RegisteredAt.Year() < 10_000 {
			t.Error(err)
		}
	})
}

// FuzzRequests has what clients and receivers send read.
func FuzzRequests(f *testing.F) {
	f.Add(`{"id":"crm","url":"https://example.com"}`)
	f.Add(`limit=3&after=12&state=failed`)
	f.Add("Fri, 31 Dec 1999 23:59:59 GMT")
	f.Add("120")
	f.Add("score.v1.webhook.due.crm.0189f0a8-0000-8000-8000-000000000000")
	cfg := Config{}.WithDefaults()
	f.Fuzz(func(t *testing.T, s string) {
		var in newEndpoint
		if decode([]byte(s), &in) == nil && cfg.checkURL(in.URL) == nil {
			if u, err := url.Parse(in.URL); err != nil || u.Scheme != "https" || u.Hostname() == "" {
				t.Errorf("%q is taken", in.URL)
			}
		}
		if q, err := url.ParseQuery(s); err == nil {
			if p, err := readPage(q); err == nil && (p.limit < 1 || p.limit > pageMost) {
				t.Errorf("%+v", p)
			}
		}
		if d := retryAfter(http.Header{"Retry-After": {s}}, epoch); d < 0 {
			t.Errorf("%q: %v", s, d)
		}
		subject.ParseWebhook(s)
	})
}
