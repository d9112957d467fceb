package e2e

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
	"github.com/scoreflow/scoreflow/services/dev"
)

// person is a customer's ID that stands nowhere by accident.
const person = "Mustermann.Erika*1964-08-12>"

// A customer's ID is told to clients and backends, inside messages, and to nobody else: it is in no subject, header, key, name of a stream,
// consumer or file, URL, statistic or line of a log.
func TestACustomersIDIsNowhereButInsideMessages(t *testing.T) {
	b := newBackend(t)
	backend := product.Backend{Kind: product.HTTP, URL: b.server.URL, Attempts: 1}
	once, calledBack := backend, backend
	once.Call, calledBack.Kind = product.AtMostOnce, product.HTTPCallback
	core, logged := observer.New(zapcore.DebugLevel)
	store, admin := t.TempDir(), "127.0.0.1:"+freePort(t)
	all, err := dev.New(t.Context(), dev.Config{
		Store: store, AdapterListen: "127.0.0.1:0", DemoListen: "127.0.0.1:0", HTTPListen: "127.0.0.1:0", HTTPAdmin: admin, Products: product.Catalog{
			credit: {Backend: backend}, fraud: {Backend: once}, report: {Backend: calledBack}, silent: {Backend: calledBack, Deadline: time.Second},
		}.WithDefaults(),
	}, zap.New(core))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- all.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	nc, err := nats.Connect(all.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	seen := watchAll(t, nc)
	w := newWitness(t, nc, b, make([]byte, 32))

	callbacks := leadLife(t, w)
	makeMistakes(t, w, callbacks)
	overHTTP := speakHTTP(t, "http://"+all.HTTPAddr(), "http://"+admin)
	eventually(t, func() error { return w.busy(t.Context()) })

	places := seen.places()
	for _, prefix := range []string{
		"score.v1.calculation.", "score.v1.completion.", "score.v1.commit.", "score.v1.result.", "score.v1.timer.", "score.v1.timeout.", "score.v1.claim.",
		"score.v1.dead.", "score.v1.invalid.", "$KV.scores.", "$JS.ACK.", "score.v1.notify", "score.v1.abort",
	} {
		if !strings.Contains(strings.Join(places, "\n"), "\nsubject "+prefix) {
			t.Errorf("no message on %s was seen: the test misses something", prefix)
		}
	}
	places = append(places, stored(t, w.js)...)
	places = append(places, statistics(t, nc)...)
	places = append(places, overHTTP...)
	for _, e := range logged.All() {
		fields, err := json.Marshal(e.ContextMap())
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, fmt.Sprintf("log %s: %s %s", e.LoggerName, e.Message, fields))
	}
	err = filepath.WalkDir(store, func(path string, _ fs.DirEntry, err error) error {
		places = append(places, "file "+path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range b.suspects {
		places = append(places, "call "+s)
	}
	for _, place := range places {
		for _, form := range []string{
			person, "Mustermann", url.QueryEscape(person), url.PathEscape(person), hex.EncodeToString([]byte(person)),
			base64.RawStdEncoding.EncodeToString([]byte(person))[:36], base64.RawURLEncoding.EncodeToString([]byte(person))[:36],
		} {
			if strings.Contains(strings.ToLower(place), strings.ToLower(form)) {
				t.Errorf("%s: %.300s", form, place)
			}
		}
	}
}

// leadLife has everything happen to the customer that can. It returns a call of the backend that is over.
func leadLife(t *testing.T, w *witness) callback {
	t.Helper()
	w.backend.answers(func(_ context.Context, c call) verdict {
		failure := &scorev1.Report{Result: &scorev1.Report_Failure{Failure: &scorev1.Failure{
			Code: scorev1.Code_BACKEND_DECLINED, Message: person + " is not a customer of ours",
		}}}
		switch c.Attributes["do"] {
		case "fail":
			return verdict{status: http.StatusBadGateway}
		case "decline":
			return verdict{report: failure}
		case "late":
			return verdict{late: 2 * time.Second}
		case "nothing":
			return verdict{silent: true}
		case "conflict":
			return verdict{again: []*scorev1.Report{w.backend.reported(c.ID), scored(person)}}
		}
		return verdict{}
	})
	wait := durationpb.New(patience)
	var last *scorev1.Answer
	for _, r := range []*scorev1.RequestScoreRequest{
		{Wait: wait}, // a miss
		{Wait: wait}, // a hit
		{Refresh: true, Wait: wait},
		{Product: fraud, Wait: wait},
		{Refresh: true, Attributes: map[string]string{"do": "fail"}, Wait: wait},
		{Refresh: true, Attributes: map[string]string{"do": "decline", person: person}, Wait: wait, ClientReference: person},
		{Product: silent, Attributes: map[string]string{"do": "late"}, Wait: wait},
		{Product: report, Attributes: map[string]string{"do": "nothing"}},
		{Product: report, Attributes: map[string]string{"do": "conflict"}, Refresh: true},
	} {
		r.CustomerId = person
		answer, err := w.ask(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if r.Attributes["do"] == "nothing" {
			if _, err := w.client.Abort(t.Context(), &scorev1.AbortRequest{CorrelationId: answer.CorrelationId, Reason: "not " + person}); err != nil {
				t.Fatal(err)
			}
		}
		last = answer
	}
	result, err := w.client.Watch(t.Context(), last.CorrelationId)
	if err != nil || result.Status != scorev1.Status_READY {
		t.Fatalf("%v, %v", result, err)
	}
	return w.backend.token(last.CorrelationId)
}

// makeMistakes uses the customer's ID where it does not belong.
func makeMistakes(t *testing.T, w *witness, over callback) {
	t.Helper()
	long := strings.Repeat(person, 20)
	for _, to := range []string{subject.Request, subject.Fetch, subject.Abort, subject.Notify} {
		for _, body := range []string{
			person, `"` + person + `"`, `{"customer_id":"` + long + `"}`, `{"customer_id":["` + person + `"]}`, `{"correlation_id":"` + person + `"}`,
			`{"customer_id":"` + person + `\u0000"}`, `{"customer_id":"1","product":"` + person + `"}`, `{"customer_id":"1","wait":"` + person + `"}`,
			`{"correlation_id":"` + person + `","token":"` + person + `","report":{}}`,
		} {
			if msg, err := w.nc.Request(to, []byte(body), patience); err != nil || msg.Header.Get("Nats-Service-Error") == "" {
				t.Errorf("%s %.60s: %v, %v", to, body, msg, err)
			}
		}
	}
	id := strings.TrimSuffix(over.URL[strings.LastIndex(over.URL, "/")+1:], "/")
	for _, to := range []string{
		"score.v1.calculation." + w.names.Key("default", credit, person).String(), "score.v1.completion." + id, "score.v1.timeout." + id,
	} {
		if err := w.nc.Publish(to, []byte(person)); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{over.URL, strings.TrimSuffix(over.URL, id) + url.PathEscape(person)} {
		for _, token := range []string{over.Token, person} {
			resp, err := http.Post(path+"?token="+url.QueryEscape(token), "application/json", strings.NewReader(person))
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
		}
	}
}

// speakHTTP uses the customer's ID over HTTP, where it belongs and where it does not. It returns the headers of all answers, what the webhook
// told, and what the bridge counts.
func speakHTTP(t *testing.T, base, admin string) (places []string) {
	t.Helper()
	told := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		told <- fmt.Sprint("webhook ", r.URL, r.Header, string(body), err)
	}))
	defer receiver.Close()
	do := func(method, url, body string) string {
		req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{
			"Content-Type": {"application/json"}, "X-Request-Id": {person}, "Correlation-Id": {person}, "Traceparent": {person}, "Last-Event-Id": {person},
			"If-None-Match": {person}, "Prefer": {"wait=" + person}, "Authorization": {"Bearer " + person}, "Referer": {person}, "User-Agent": {person},
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, fmt.Sprint("answer to ", method, ": ", resp.Status, resp.Header))
		return string(got)
	}
	do("POST", base+"/v1/webhook-endpoints", `{"id":"crm","url":"`+receiver.URL+`"}`)
	var ready struct {
		ID string `json:"correlation_id"`
	}
	ask := `{"customer_id":"` + person + `","client_reference":"` + person + `","notify":"crm"}`
	if err := json.Unmarshal([]byte(do("POST", base+"/v1/score-requests", ask)), &ready); err != nil || ready.ID == "" {
		t.Fatalf("no answer over HTTP: %v", err)
	}
	places = append(places, <-told, do("GET", base+"/v1/webhook-endpoints/crm/deliveries", ""))
	do("POST", base+"/v1/scores:lookup", `{"customer_id":"`+person+`"}`)
	do("GET", base+"/v1/score-requests/"+ready.ID+"/result", "")
	do("GET", base+"/v1/score-requests/"+ready.ID+"/events", "")
	do("POST", base+"/v1/backend/completions/"+ready.ID, `{"failure":{"message":"`+person+`"}}`)
	for _, path := range []string{
		"/v1/customers/" + url.PathEscape(person) + "/scores/credit", "/v1/score-requests/" + url.PathEscape(person), "/?" + url.QueryEscape(person),
		"/v1/results/events?after=" + url.QueryEscape(person), "/v1/webhook-endpoints/" + url.PathEscape(person), "/" + url.PathEscape(person),
	} {
		do("GET", base+path, "")
	}
	for _, body := range []string{person, `{"customer_id":["` + person + `"]}`, `{"customer_id":"1","notify":"` + person + `"}`} {
		do("POST", base+"/v1/score-requests", body)
	}
	return append(places, "metrics "+do("GET", admin+"/metrics", ""))
}

// traffic is what messages were seen, without what is inside of them.
type traffic struct {
	mu   sync.Mutex
	seen []string
}

func watchAll(t *testing.T, nc *nats.Conn) *traffic {
	t.Helper()
	tr := &traffic{seen: []string{""}}
	sub, err := nc.Subscribe(">", func(msg *nats.Msg) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.seen = append(tr.seen, "subject "+msg.Subject, "reply "+msg.Reply)
		for name, values := range msg.Header {
			tr.seen = append(tr.seen, "header "+name+": "+strings.Join(values, ", "))
		}
	})
	if err == nil {
		err = sub.SetPendingLimits(-1, -1)
	}
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func (tr *traffic) places() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return append([]string(nil), tr.seen...)
}

// stored is the names of all that JetStream holds.
func stored(t *testing.T, js jetstream.JetStream) (names []string) {
	t.Helper()
	streams := js.ListStreams(t.Context())
	for info := range streams.Info() {
		names = append(names, fmt.Sprintf("stream %+v", info.Config))
		stream, err := js.Stream(t.Context(), info.Config.Name)
		if err != nil {
			t.Fatal(err)
		}
		full, err := stream.Info(t.Context(), jetstream.WithSubjectFilter(">"))
		if err != nil {
			t.Fatal(err)
		}
		for s := range full.State.Subjects {
			names = append(names, "stored "+s)
		}
		consumers := stream.ListConsumers(t.Context())
		for c := range consumers.Info() {
			names = append(names, fmt.Sprintf("consumer %+v", c.Config))
		}
		if err := consumers.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := streams.Err(); err != nil {
		t.Fatal(err)
	}
	return names
}

// statistics is what the services tell of themselves.
func statistics(t *testing.T, nc *nats.Conn) (all []string) {
	t.Helper()
	for _, name := range []string{"score-gateway", "score-adapter"} {
		for _, verb := range []string{"PING", "INFO", "STATS"} {
			msg, err := nc.Request("$SRV."+verb+"."+name, nil, patience)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, "micro "+string(msg.Data))
		}
	}
	return all
}
