package webhook

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func TestEndpointsAreKept(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	made := b.endpoint("crm", "https://example.com/hook?key=1", Full)
	if checkSymmetric(made.Secret) != nil || !strings.HasPrefix(made.PublicKey, publicPrefix) || made.State != active {
		t.Fatalf("%+v", made)
	}
	b.endpoint("a", "https://example.com", "")
	var list struct{ Endpoints []endpointView }
	b.call(http.StatusOK, "GET", root, nil, &list)
	if len(list.Endpoints) != 2 || list.Endpoints[0].ID != "a" {
		t.Errorf("%+v", list)
	}
	made.Secret = "" // told once
	if diff := cmp.Diff(made, list.Endpoints[1]); diff != "" {
		t.Error(diff)
	}
	var got endpointView
	b.call(http.StatusOK, "GET", root+"/crm", nil, &got)
	if diff := cmp.Diff(made, got); diff != "" {
		t.Error(diff)
	}
	b.call(http.StatusOK, "POST", root+"/crm/pause", nil, &got)
	if got.State != paused {
		t.Errorf("%+v", got)
	}
	b.call(http.StatusNoContent, "DELETE", root+"/crm", nil, nil)
	for _, c := range []struct{ method, path string }{
		{"GET", ""}, {"DELETE", ""}, {"POST", "/rotate-secret"}, {"POST", "/pause"}, {"POST", "/resume"}, {"POST", "/test"}, {"GET", "/deliveries"},
	} {
		b.call(http.StatusNotFound, c.method, root+"/crm"+c.path, nil, nil)
		b.call(http.StatusNotFound, c.method, root+"/no.such*"+c.path, nil, nil)
	}
	b.call(http.StatusNotFound, "POST", root+"/crm/replay", newReplay{Since: time.Now().Format(time.RFC3339)}, nil)
	b.endpoint("crm", "https://example.com", "") // the name is free again
}

func TestBadRequestsNameTheField(t *testing.T) {
	cfg := development()
	cfg.MaxEndpoints = 2
	b := run(t, natstest.Run(t), cfg)
	b.endpoint("crm", "https://example.com", "")
	for _, c := range []struct {
		path  string
		body  any
		code  scorev1.Code
		field string
	}{
		{"", newEndpoint{ID: "crm", URL: "https://example.com"}, scorev1.Code_CONFLICT, "id"},
		{"", newEndpoint{ID: "CRM", URL: "https://example.com"}, scorev1.Code_INVALID_ARGUMENT, "id"},
		{"", newEndpoint{ID: strings.Repeat("x", 33), URL: "https://example.com"}, scorev1.Code_INVALID_ARGUMENT, "id"},
		{"", newEndpoint{ID: "x", URL: "ftp://example.com"}, scorev1.Code_INVALID_ARGUMENT, "url"},
		{"", newEndpoint{ID: "x", URL: "https://user:pw@example.com"}, scorev1.Code_INVALID_ARGUMENT, "url"},
		{"", newEndpoint{ID: "x", URL: "https://"}, scorev1.Code_INVALID_ARGUMENT, "url"},
		{"", newEndpoint{ID: "x", URL: "https://example.com/" + strings.Repeat("x", maxURL)}, scorev1.Code_INVALID_ARGUMENT, "url"},
		{"", newEndpoint{ID: "x", URL: "https://example.com", Payload: "fat"}, scorev1.Code_INVALID_ARGUMENT, "payload"},
		{"", map[string]any{"id": 1}, scorev1.Code_INVALID_ARGUMENT, "id"},
		{"", map[string]any{"secret": "x"}, scorev1.Code_INVALID_ARGUMENT, "secret"},
		{"", nil, scorev1.Code_INVALID_ARGUMENT, ""},
		{"/crm/replay", newReplay{Since: "yesterday"}, scorev1.Code_INVALID_ARGUMENT, "since"},
	} {
		var got struct{ Code, Field string }
		b.call(fault.Status(c.code), "POST", root+c.path, c.body, &got)
		if got.Code != c.code.String() || got.Field != c.field {
			t.Errorf("%+v: %+v, want %v %q", c.body, got, c.code, c.field)
		}
	}
	for query, field := range map[string]string{"limit=0": "limit", "limit=1001": "limit", "after=x": "after", "state=lost": "state", "x=1": "x"} {
		var got struct{ Code, Field string }
		b.call(http.StatusBadRequest, "GET", root+"/crm/deliveries?"+query, nil, &got)
		if got.Field != field {
			t.Errorf("%s: %+v", query, got)
		}
	}
	b.endpoint("second", "https://example.com", "")
	b.call(http.StatusConflict, "POST", root, newEndpoint{ID: "third", URL: "https://example.com"}, nil)
}

func TestOnlyEndpointsThatThereAreCanBeRegistered(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	b.endpoint("crm", "https://example.com", "")
	if err := b.Known(t.Context(), "crm"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "erp", "no.such", "*", ">"} {
		f, ok := errors.AsType[*fault.Error](b.Known(t.Context(), name))
		if !ok || f.Code != scorev1.Code_INVALID_ARGUMENT || f.Field != "notify" {
			t.Errorf("%q: %v", name, f)
		}
	}
	id, _ := newID(t)
	if err := b.Register(t.Context(), "no.such", &scorev1.Answer{CorrelationId: id.String()}); err == nil {
		t.Error("a name that is none can be registered")
	}
}

func TestATestEventTellsWhatCameOfIt(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, statuses(http.StatusTeapot, http.StatusOK))
	v := b.endpoint("crm", r.URL, "")
	var got testView
	b.call(http.StatusOK, "POST", root+"/crm/test", nil, &got)
	if got.Status != http.StatusTeapot || got.Outcome != refused || !strings.HasPrefix(got.ID, "msg_") {
		t.Errorf("%+v", got)
	}
	b.call(http.StatusOK, "POST", root+"/crm/pause", nil, nil)
	b.call(http.StatusOK, "POST", root+"/crm/test", nil, &got)
	if got.Status != http.StatusOK || got.Outcome != delivered {
		t.Errorf("%+v", got)
	}
	r.next(t)
	if second := r.next(t); second.id() != got.ID || !strings.Contains(string(second.body), Test) {
		t.Errorf("%s", second.body)
	} else {
		verify(t, second, v, true)
	}
}

func TestTheLogComesInPages(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, nil)
	b.endpoint("crm", r.URL, "")
	b.endpoint("other", r.URL, "")
	const all = 7
	want := map[string]bool{}
	for range all {
		id := b.due("crm")
		b.await("crm", id, in(delivered))
		want[id.String()] = true
	}
	b.await("other", b.due("other"), in(delivered))
	query := "?limit=3&state=delivered"
	for pages := 1; ; pages++ {
		var got struct {
			Deliveries []deliveryView
			Next       string
		}
		b.call(http.StatusOK, "GET", root+"/crm/deliveries"+query, nil, &got)
		for _, d := range got.Deliveries {
			if !want[d.CorrelationID] || len(d.Attempts) != 1 || d.Attempts[0].Outcome != delivered || d.Type != Completed {
				t.Errorf("%+v", d)
			}
			delete(want, d.CorrelationID)
		}
		if got.Next == "" {
			if pages != 3 || len(want) != 0 {
				t.Errorf("after %d pages %d are missing", pages, len(want))
			}
			break
		}
		query = "?limit=3&state=delivered&after=" + got.Next
	}
}

func TestDeletingAnEndpointDeletesItsDeliveries(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, statuses(500))
	b.cfg.Policy.Delays = []time.Duration{0, time.Hour}
	b.endpoint("crm", r.URL, "")
	id := b.due("crm")
	b.await("crm", id, func(d *delivery) bool { return d.Failures == 1 })
	b.call(http.StatusNoContent, "DELETE", root+"/crm", nil, nil)
	if _, _, err := b.deliveries.get(t.Context(), "crm", id); !errors.Is(err, errNone) {
		t.Error(err)
	}
}

func TestEndpointsOfTheConfiguration(t *testing.T) {
	server := natstest.Run(t)
	cfg := development()
	secret := func(with string) string {
		return symmetricPrefix + encoding.EncodeToString([]byte(strings.Repeat(with, secretLen)))
	}
	cfg.Endpoints = []Static{{ID: "crm", URL: "https://example.com/a", Secret: secret("a")}}
	b := run(t, server, cfg)
	run(t, server, cfg) // changes nothing
	first, _, err := b.endpoints.get(t.Context(), "crm")
	if err != nil || first.URL != "https://example.com/a" || first.Payload != Thin || len(first.Secrets) != 1 || first.Secrets[0].Symmetric != secret("a") {
		t.Fatalf("%+v %v", first, err)
	}
	if _, err := b.pause(t.Context(), "crm"); err != nil {
		t.Fatal(err)
	}
	cfg.Endpoints = []Static{{ID: "crm", URL: "https://example.com/b", Payload: Full, Secret: secret("b")}}
	b = run(t, server, cfg)
	second, _, err := b.endpoints.get(t.Context(), "crm")
	if err != nil || second.URL != "https://example.com/b" || second.Payload != Full || second.State != paused ||
		second.Secrets[0].Symmetric != secret("b") || second.Secrets[1].Symmetric != secret("a") {
		t.Errorf("%+v %v", second, err)
	}
}

func TestConfigurationsThatCannotBe(t *testing.T) {
	good := Static{ID: "crm", URL: "https://example.com", Secret: symmetricPrefix + encoding.EncodeToString(make([]byte, secretLen))}
	for want, spoil := range map[string]func(*Config){
		"":                                     func(*Config) {},
		"timeout":                              func(c *Config) { c.Timeout = -1 },
		"ack_wait":                             func(c *Config) { c.AckWait = c.Timeout },
		"overlap":                              func(c *Config) { c.Overlap = -1 },
		"concurrency":                          func(c *Config) { c.Concurrency = -1 },
		"max_endpoints":                        func(c *Config) { c.MaxEndpoints = -1 },
		"public_url":                           func(c *Config) { c.PublicURL = "scores" },
		"endpoints":                            func(c *Config) { c.Endpoints = append(c.Endpoints, good) },
		"endpoints.crm: INVALID_ARGUMENT: url": func(c *Config) { c.Endpoints[0].URL = "https://example.com:22" },
		"endpoints.crm: INVALID_ARGUMENT: payload": func(c *Config) { c.Endpoints[0].Payload = "fat" },
		"endpoints.crm: secret":                    func(c *Config) { c.Endpoints[0].Secret = "" },
	} {
		c := Config{Timeout: time.Second, Endpoints: []Static{good}}.WithDefaults()
		spoil(&c)
		if err := c.Validate(); want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
