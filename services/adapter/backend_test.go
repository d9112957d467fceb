package adapter

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/score"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const goodReport = `{"score":{"outcome":"SCORED","value":700,"range_min":300,"range_max":850},"validity":"3600s"}`

// world is a backend's server and its client in one synctest bubble: the clock is not the real one, the connections are pipes.
type world struct {
	client *http.Client
	calls  atomic.Int32
}

// in runs a test in a bubble; handle answers the n-th request, n from 1.
func in(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, n int), test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{client: newClient(4)}
		pipes := &pipeListener{accept: make(chan net.Conn), closed: make(chan struct{})}
		server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			handle(rw, r, int(w.calls.Add(1)))
		})}
		go server.Serve(pipes)
		w.client.Transport.(*http.Transport).DialContext = pipes.dial
		defer synctest.Wait()
		defer server.Close()
		defer w.client.CloseIdleConnections()
		test(t, w)
	})
}

// backend is a backend that is tried up to four times.
func (w *world) backend(t *testing.T, kind, call string) Backend {
	t.Helper()
	b, err := newBackend(product.Backend{Kind: kind, Call: call, URL: "http://backend/", Attempts: 4, Concurrency: 4}, w.client)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func aCall(within time.Duration) Call {
	key := correlation.Key{Product: "credit", Slot: "000000", Token: "00000000000000000000000000"}
	return Call{ID: correlation.NewID(key, time.Now()), Product: "credit", CustomerID: "42", Deadline: time.Now().Add(within)}
}

func wantCode(t *testing.T, err error, code scorev1.Code) {
	t.Helper()
	if f, ok := err.(*fault.Error); !ok || f.Code != code {
		t.Errorf("got %v, want %v", err, code)
	}
}

func (w *world) wantCalls(t *testing.T, n int32) {
	t.Helper()
	if got := w.calls.Load(); got != n {
		t.Errorf("the backend was called %d times, want %d", got, n)
	}
}

func answer(status int, body string) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, _ int) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// Over real sockets, what is sent is exactly the contract.
func TestWhatABackendIsSent(t *testing.T) {
	headers := make(chan http.Header, 1)
	bodies := make(chan map[string]any, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		headers <- r.Header
		bodies <- body
		w.WriteHeader(http.StatusAccepted)
	}))
	defer server.Close()
	b, err := newBackend(product.Backend{Kind: product.HTTPCallback, URL: server.URL + "/report", Attempts: 1}, newClient(1))
	if err != nil {
		t.Fatal(err)
	}
	c := aCall(time.Hour)
	c.Attributes = map[string]string{"purpose": "loan"}
	c.Callback = &Callback{URL: "http://127.0.0.1:8091/v1/completions/" + c.ID.String(), Token: "secret"}
	report, err := b.Call(t.Context(), c)
	if report != nil || err != nil {
		t.Fatalf("handed over: %v, %v", report, err)
	}
	cid, deadline := c.ID.String(), c.Deadline.UTC().Format(time.RFC3339Nano)
	want := map[string]any{
		"correlation_id": cid, "product": "credit", "customer_id": "42", "deadline": deadline,
		"attributes": map[string]any{"purpose": "loan"}, "callback": map[string]any{"url": c.Callback.URL, "token": "secret"},
	}
	if diff := cmp.Diff(want, <-bodies); diff != "" {
		t.Error(diff)
	}
	h := <-headers
	for name, value := range map[string]string{
		"Content-Type": "application/json", "Correlation-Id": cid, "Idempotency-Key": `"` + cid + `"`, "Deadline": deadline,
	} {
		if got := h.Get(name); got != value {
			t.Errorf("%s is %q, want %q", name, got, value)
		}
	}
}

func TestAReportIsReturned(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		value      int32
		code       scorev1.Code
		message    string
	}{
		{"a score", goodReport, 200, 700, 0, ""},
		{"a newer backend's score", `{"score":{"outcome":"SCORED","value":1,"range_max":2,"mood":"good"},"new":[{}]}`, 200, 1, 0, ""},
		{"a failure", `{"failure":{"code":"UNKNOWN_OUTCOME","message":"who knows"}}`, 200, 0, scorev1.Code_UNKNOWN_OUTCOME, "who knows"},
		{"a failure of ours", `{"failure":{"code":"NOT_FOUND","message":"?"}}`, 200, 0, scorev1.Code_BACKEND_DECLINED, "?"},
		{"a long failure", `{"failure":{"message":"` + strings.Repeat("x", 9999) + `"}}`, 200, 0, scorev1.Code_BACKEND_DECLINED, strings.Repeat("x", 512)},
		{"a no with its reason", `{"failure":{"code":"BACKEND_UNAVAILABLE","message":"no"}}`, 422, 0, scorev1.Code_BACKEND_DECLINED, "no"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in(t, answer(c.status, c.body), func(t *testing.T, w *world) {
				report, err := w.backend(t, product.HTTP, product.AtMostOnce).Call(t.Context(), aCall(time.Minute))
				if err != nil {
					t.Fatal(err)
				}
				if f := report.GetFailure(); f.GetCode() != c.code || f.GetMessage() != c.message || report.GetScore().GetValue() != c.value {
					t.Errorf("got %v", report)
				}
			})
		})
	}
}

func TestWhatIsNotAReport(t *testing.T) {
	for name, body := range map[string]string{
		"empty": "", "html": "<html>customer 42</html>", "other": `{"customer":"42"}`, "broken": `{"score":{"outcome":"customer 42"}}`,
		"invalid": `{"score":{"outcome":"NO_HIT","value":42}}`, "huge": strings.Repeat(" ", maxAnswer) + goodReport,
	} {
		t.Run(name, func(t *testing.T) {
			in(t, answer(200, body), func(t *testing.T, w *world) {
				_, err := w.backend(t, product.HTTP, product.Idempotent).Call(t.Context(), aCall(time.Minute))
				wantCode(t, err, scorev1.Code_BACKEND_UNAVAILABLE)
				w.wantCalls(t, 4)
				if strings.Contains(err.Error(), "42") {
					t.Errorf("%v repeats what the backend wrote", err)
				}
			})
		})
	}
}

func TestWhichAnswersAreRepeated(t *testing.T) {
	for _, c := range []struct {
		status     int
		calls      int32 // of an idempotent backend; any other is called once
		code, once scorev1.Code
	}{
		{400, 1, scorev1.Code_BACKEND_DECLINED, scorev1.Code_BACKEND_DECLINED},
		{404, 1, scorev1.Code_BACKEND_DECLINED, scorev1.Code_BACKEND_DECLINED},
		{422, 1, scorev1.Code_BACKEND_DECLINED, scorev1.Code_BACKEND_DECLINED},
		{302, 4, scorev1.Code_BACKEND_UNAVAILABLE, scorev1.Code_UNKNOWN_OUTCOME},
		{408, 4, scorev1.Code_BACKEND_UNAVAILABLE, scorev1.Code_UNKNOWN_OUTCOME},
		{425, 4, scorev1.Code_BACKEND_UNAVAILABLE, scorev1.Code_UNKNOWN_OUTCOME},
		{429, 4, scorev1.Code_BACKEND_UNAVAILABLE, scorev1.Code_UNKNOWN_OUTCOME},
		{500, 4, scorev1.Code_BACKEND_UNAVAILABLE, scorev1.Code_UNKNOWN_OUTCOME},
		{503, 4, scorev1.Code_BACKEND_UNAVAILABLE, scorev1.Code_UNKNOWN_OUTCOME},
	} {
		for _, kind := range []string{product.HTTP, product.HTTPCallback} {
			handle := func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, "/elsewhere", c.status) }
			in(t, handle, func(t *testing.T, w *world) {
				_, err := w.backend(t, kind, product.Idempotent).Call(t.Context(), aCall(time.Minute))
				wantCode(t, err, c.code)
				w.wantCalls(t, c.calls)
			})
			in(t, handle, func(t *testing.T, w *world) {
				_, err := w.backend(t, kind, product.AtMostOnce).Call(t.Context(), aCall(time.Minute))
				wantCode(t, err, c.once)
				w.wantCalls(t, 1)
			})
		}
	}
}

func TestTheDeadlineEndsACall(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() }
	for call, code := range map[string]scorev1.Code{
		product.Idempotent: scorev1.Code_DEADLINE_EXCEEDED, product.AtMostOnce: scorev1.Code_UNKNOWN_OUTCOME,
	} {
		in(t, hang, func(t *testing.T, w *world) {
			began := time.Now()
			_, err := w.backend(t, product.HTTP, call).Call(t.Context(), aCall(time.Minute))
			wantCode(t, err, code)
			if d := time.Since(began); d != time.Minute {
				t.Errorf("it took %v", d)
			}
		})
	}
	in(t, answer(200, goodReport), func(t *testing.T, w *world) {
		_, err := w.backend(t, product.HTTP, product.AtMostOnce).Call(t.Context(), aCall(-time.Second))
		wantCode(t, err, scorev1.Code_DEADLINE_EXCEEDED)
		w.wantCalls(t, 0)
	})
}

func TestCancellationLeavesTheWork(t *testing.T) {
	for _, call := range []string{product.Idempotent, product.AtMostOnce} {
		var cancel context.CancelFunc
		hang := func(_ http.ResponseWriter, r *http.Request, _ int) { cancel(); <-r.Context().Done() }
		in(t, hang, func(t *testing.T, w *world) {
			var ctx context.Context
			ctx, cancel = context.WithCancel(t.Context())
			if _, err := w.backend(t, product.HTTP, call).Call(ctx, aCall(time.Minute)); err != context.Canceled {
				t.Errorf("%s: %v", call, err)
			}
		})
	}
	in(t, answer(503, ""), func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel) // before the second attempt
		if _, err := w.backend(t, product.HTTP, product.Idempotent).Call(ctx, aCall(time.Minute)); err != context.Canceled {
			t.Error(err)
		}
	})
}

// What the backend has said once is kept, even when the service is told to stop at the same moment.
func TestCancellationLosesNoAnswer(t *testing.T) {
	for status, code := range map[int]scorev1.Code{200: 0, 404: scorev1.Code_BACKEND_DECLINED} {
		ctx, cancel := context.WithCancel(t.Context())
		client := &http.Client{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			defer cancel()
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(goodReport))}, nil
		})}
		b, err := newBackend(product.Backend{Kind: product.HTTP, URL: "http://backend/", Attempts: 4}, client)
		if err != nil {
			t.Fatal(err)
		}
		report, err := b.Call(ctx, aCall(time.Minute))
		if code == 0 && (err != nil || report.GetScore().GetValue() != 700) {
			t.Errorf("%v, %v", report, err)
		}
		if code != 0 {
			wantCode(t, err, code)
		}
	}
}

// Whatever a backend answers, what is taken for a report is one.
func FuzzReadReport(f *testing.F) {
	f.Add([]byte(goodReport))
	f.Add([]byte(`{"failure":{"code":99,"message":"\u0000"},"validity":"-1s"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		report, err := readReport(data)
		if err != nil {
			return
		}
		if err := score.ValidateReport(report); err != nil {
			t.Errorf("%q: %v", data, err)
		}
	})
}

func TestUnknownKind(t *testing.T) {
	if _, err := newBackend(product.Backend{Kind: "smoke"}, newClient(1)); err == nil {
		t.Error("it was made")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var errAway = errors.New("connection refused")

// pipeListener listens where no network is.
type pipeListener struct {
	accept chan net.Conn
	closed chan struct{}
	once   atomic.Bool
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.accept <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, errAway
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.accept:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	if l.once.CompareAndSwap(false, true) {
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// staleConn is a connection that can break without its reader being told.
type staleConn struct {
	net.Conn
	stale atomic.Bool
}

func (c *staleConn) Write(p []byte) (int, error) {
	if c.stale.Load() {
		c.Close()
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}
