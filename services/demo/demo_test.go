package demo

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"
)

// run is a demo backend on a free port, stopped with the test.
func run(t *testing.T) (s *Service, stop func()) {
	t.Helper()
	s, err := New(Config{Listen: "127.0.0.1:0"}, zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		done <- nil
	}
	t.Cleanup(stop)
	return s, stop
}

// Over real sockets: a call, a notification, the count, and the end while a call is under way.
func TestServe(t *testing.T) {
	notified := make(chan *http.Request, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { notified <- r }))
	defer receiver.Close()
	s, stop := run(t)
	call := func(method, path, body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr()+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, err.Error()
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		return resp.StatusCode, string(text)
	}
	if status, text := call("POST", "/credit", aCall("a", "")); status != 200 || !strings.Contains(text, `"score"`) {
		t.Errorf("credit: %d %s", status, text)
	}
	withCallback := strings.Replace(aCall("b", ""), "http://us/done", receiver.URL+"/v1/completions/b", 1)
	if status, text := call("POST", "/report", withCallback); status != 202 || text != "" {
		t.Errorf("report: %d %s", status, text)
	}
	if r := <-notified; r.URL.Path != "/v1/completions/b" || r.Header.Get("Authorization") != "Bearer secret" {
		t.Errorf("notified %v", r)
	}
	if status, text := call("GET", "/calls", ""); status != 200 || text != `{"a":1,"b":1}`+"\n" {
		t.Errorf("calls: %d %s", status, text)
	}
	if diff := cmp.Diff(map[string]int{"a": 1, "b": 1}, s.Calls()); diff != "" {
		t.Error(diff)
	}
	if status, _ := call("GET", "/credit", ""); status != http.StatusMethodNotAllowed {
		t.Errorf("GET /credit: %d", status)
	}
	hanging := make(chan int)
	go func() {
		status, _ := call("POST", "/credit", aCall("c", "never"))
		hanging <- status
	}()
	for s.Calls()["c"] == 0 { // the call is on its way
		_, _ = call("GET", "/calls", "")
	}
	stop()
	if status := <-hanging; status != http.StatusServiceUnavailable {
		t.Errorf("the call that hung was answered %d", status)
	}
}

func TestPortInUse(t *testing.T) {
	s, _ := run(t)
	if _, err := New(Config{Listen: s.Addr()}, zap.NewNop()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	for want, c := range map[string]Config{
		"listen: ": {Listen: "localhost"}, "pace: -1": {Listen: ":0", Pace: -1}, "pace: 1e+06": {Listen: ":0", Pace: 1e6},
	} {
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// world is a demo backend in a synctest bubble, at the usual pace, without sockets.
type world struct {
	t       *testing.T
	service *Service
	routes  http.Handler
	began   time.Time
	stop    context.CancelFunc

	// The notifications, and how they are answered; after the last answer always by 200.
	notified []string
	at       []time.Duration // since the beginning
	answers  []int
}

func in(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		w := &world{t: t, began: time.Now(), stop: cancel}
		w.service = &Service{pace: 1, log: zap.NewNop(), memory: newMemory(3), client: &http.Client{Transport: w}}
		w.routes = w.service.routes(ctx)
		test(w)
		cancel()
		w.service.jobs.Wait()
	})
}

// RoundTrip is the receiver of notifications.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.URL.String() != "http://us/done" || r.Header.Get("Authorization") != "Bearer secret" {
		w.t.Errorf("%s was notified with %v", r.URL, r.Header)
	}
	w.notified = append(w.notified, string(body))
	w.at = append(w.at, time.Since(w.began))
	status := http.StatusOK
	if len(w.answers) > 0 {
		status, w.answers = w.answers[0], w.answers[1:]
	}
	return &http.Response{StatusCode: status, Body: http.NoBody}, nil
}

// call calls and returns the answer.
func (w *world) call(path, body string) (int, string) {
	w.t.Helper()
	return w.callUntil(w.t.Context(), path, body)
}

func (w *world) callUntil(ctx context.Context, path, body string) (int, string) {
	rec := httptest.NewRecorder()
	w.routes.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(body)))
	return rec.Code, rec.Body.String()
}

// report hands over and returns the notifications of the next ten minutes.
func (w *world) report(body string) []string {
	w.t.Helper()
	if status, text := w.call("/report", body); status != http.StatusAccepted {
		w.t.Fatalf("%d %s", status, text)
	}
	<-time.After(10 * time.Minute)
	synctest.Wait()
	return w.notified
}

// aCall is a call about customer 1, whose score has a value. Its deadline is in a minute of a bubble's clock.
func aCall(cid, demo string) string {
	data, err := json.Marshal(map[string]any{
		"correlation_id": cid, "product": "credit", "customer_id": "1", "attributes": map[string]string{"demo": demo},
		"deadline": time.Date(2000, 1, 1, 0, 1, 0, 0, time.UTC), "callback": callback{URL: "http://us/done", Token: "secret"},
	})
	if err != nil {
		panic(err)
	}
	return string(data)
}
