package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap/zaptest"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const scored = `{"score":{"outcome":"SCORED","value":700,"range_min":300,"range_max":850}}`

// bench is an adapter on a server, with the test in the place of gateway, correlator and backend.
type bench struct {
	*testing.T
	service     *Service
	store       *store.Store
	client      *client.Client
	completions *nats.Subscription
	calls       chan *http.Request // of the backend, each with its body in the context of the test
	bodies      chan []byte
}

func start(t *testing.T, kind string, answer http.HandlerFunc) *bench {
	t.Helper()
	b := &bench{T: t, calls: make(chan *http.Request, 16), bodies: make(chan []byte, 16)}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		b.calls <- r
		b.bodies <- body
		answer(w, r)
	}))
	t.Cleanup(backend.Close)
	server := natstest.Run(t)
	s, err := New(t.Context(), Config{
		Products: product.Catalog{"credit": {Backend: product.Backend{Kind: kind, URL: backend.URL}, Deadline: time.Minute}},
		Secret:   bytes.Repeat([]byte("k"), correlation.MinSecret), Listen: "127.0.0.1:0",
	}, server.Conn(), zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	nc := server.Conn()
	b.service, b.store, b.client = s, s.store, client.New(nc)
	if b.completions, err = nc.SubscribeSync(subject.AllCompletions); err != nil || nc.Flush() != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) calculation(change func(*scorev1.Calculation)) *scorev1.Calculation {
	b.Helper()
	names, err := correlation.NewPseudonymizer(bytes.Repeat([]byte("k"), correlation.MinSecret))
	if err != nil {
		b.Fatal(err)
	}
	key, now := names.Key("default", "credit", "42"), time.Now()
	c := &scorev1.Calculation{
		CorrelationId: correlation.NewID(key, now).String(), Product: "credit", CustomerId: "42", Attributes: map[string]string{"a": "b"},
		CreatedAt: timestamppb.New(now), Deadline: timestamppb.New(now.Add(time.Minute)),
	}
	if change != nil {
		change(c)
	}
	if started, err := b.store.Start(b.Context(), key, c); err != nil || !started {
		b.Fatal(started, err)
	}
	return c
}

func (b *bench) completion() *scorev1.Completion {
	b.Helper()
	msg, err := b.completions.NextMsg(10 * time.Second)
	if err != nil {
		b.Fatal(err)
	}
	_, c, err := store.ReadCompletion(msg.Subject, msg.Data)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func TestACallSaysWhatItIsAbout(t *testing.T) {
	b := start(t, product.HTTP, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, scored) })
	c := b.calculation(nil)
	done := b.completion()
	if done.GetReport().GetScore().GetValue() != 700 || !proto.Equal(done.Calculation, c) || done.SeenRevision == nil {
		t.Errorf("%v", done)
	}
	call := <-b.calls
	if call.Header.Get("Correlation-Id") != c.CorrelationId || call.Header.Get("Idempotency-Key") != `"`+c.CorrelationId+`"` {
		t.Errorf("headers: %v", call.Header)
	}
	if deadline, err := time.Parse(time.RFC3339, call.Header.Get("Deadline")); err != nil || deadline.Sub(c.Deadline.AsTime()).Abs() > time.Second {
		t.Errorf("deadline: %v, %v", deadline, err)
	}
	var body map[string]any
	if err := json.Unmarshal(<-b.bodies, &body); err != nil || body["customer_id"] != "42" || body["correlation_id"] != c.CorrelationId {
		t.Errorf("body: %v, %v", body, err)
	}
}

func TestADeadlineThatHasPassedIsNotCalled(t *testing.T) {
	b := start(t, product.HTTP, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, scored) })
	b.calculation(func(c *scorev1.Calculation) { c.Deadline = timestamppb.New(time.Now().Add(-time.Second)) })
	if done := b.completion(); done.GetFailed().GetCode() != scorev1.Code_DEADLINE_EXCEEDED {
		t.Errorf("%v", done)
	}
	if len(b.calls) > 0 {
		t.Error("the backend was called")
	}
}

func TestARefusalOfTheBackendIsAFailure(t *testing.T) {
	b := start(t, product.HTTP, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	b.calculation(nil)
	if done := b.completion(); done.GetFailed().GetCode() != scorev1.Code_BACKEND_DECLINED {
		t.Errorf("%v", done)
	}
}

// handedOver has a calculation handed over, and returns where and with what the backend notifies.
func (b *bench) handedOver() (c *scorev1.Calculation, url, token string) {
	b.Helper()
	c = b.calculation(nil)
	var body struct{ Callback struct{ URL, Token string } }
	if err := json.Unmarshal(<-b.bodies, &body); err != nil {
		b.Fatal(err)
	}
	return c, body.Callback.URL, body.Callback.Token
}

func accepted(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }

func TestANotificationIsStoredAndThenAnswered(t *testing.T) {
	for name, notify := range map[string]func(b *bench, c *scorev1.Calculation, url, token string) error{
		"NATS": func(b *bench, c *scorev1.Calculation, _, token string) error {
			report := &scorev1.Report{Result: &scorev1.Report_Score{Score: &scorev1.Score{Outcome: scorev1.Outcome_NO_HIT}}}
			_, err := b.client.Notify(b.Context(), &scorev1.NotifyRequest{CorrelationId: c.CorrelationId, Token: token, Report: report})
			return err
		},
		"HTTP": func(b *bench, _ *scorev1.Calculation, url, token string) error {
			if status := b.post(url, token, `{"score":{"outcome":"NO_HIT"}}`); status != http.StatusOK {
				return errors.New(http.StatusText(status))
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := start(t, product.HTTPCallback, accepted)
			c, url, token := b.handedOver()
			if err := notify(b, c, url, token); err != nil {
				t.Fatal(err)
			}
			done := b.completion()
			if done.GetReport().GetScore().GetOutcome() != scorev1.Outcome_NO_HIT || !proto.Equal(done.Calculation, c) || done.BeganAt == nil {
				t.Errorf("%v", done)
			}
			id, err := correlation.ParseID(c.CorrelationId)
			if err != nil {
				t.Fatal(err)
			}
			if stored, err := b.store.Completion(t.Context(), id); stored == nil || err != nil {
				t.Error("it was answered before it was stored", err)
			}
			if err := notify(b, c, url, token); err != nil {
				t.Error("the same once more:", err)
			}
		})
	}
}

// post notifies by HTTP.
func (b *bench) post(url, token, body string) int {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		b.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

func TestOnlyTheTokenOfThisCalculationWillDo(t *testing.T) {
	b := start(t, product.HTTPCallback, accepted)
	c, url, token := b.handedOver()
	other := correlation.NewID(b.service.tokensKey(t, c), time.Now()).String()
	for name, p := range map[string]struct {
		url, token, body string
		status           int
	}{
		"no token":              {url, "", scored, 401},
		"another token":         {url, "x" + token, scored, 403},
		"half of the token":     {url, token[:len(token)/2], scored, 403},
		"another calculation":   {strings.Replace(url, c.CorrelationId, other, 1), token, scored, 403},
		"no correlation ID":     {strings.Replace(url, c.CorrelationId, "x", 1), token, scored, 400},
		"no JSON":               {url, token, "hello", 400},
		"no report":             {url, token, "{}", 400},
		"a value out of range":  {url, token, strings.Replace(scored, "700", "7000", 1), 400},
		"more than it may have": {url, token, strings.Repeat(" ", 1<<20), 400},
	} {
		if status := b.post(p.url, p.token, p.body); status != p.status {
			t.Errorf("%s: %d, want %d", name, status, p.status)
		}
	}
	if n, _, err := b.completions.Pending(); n > 0 || err != nil {
		t.Errorf("%d completions were stored, %v", n, err)
	}
	if status := b.post(url, token, scored); status != http.StatusOK {
		t.Errorf("after all that the right one: %d", status)
	}
	_, err := b.client.Notify(t.Context(), &scorev1.NotifyRequest{CorrelationId: c.CorrelationId})
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != scorev1.Code_UNAUTHENTICATED || f.Field != "token" {
		t.Error(err)
	}
}

// tokensKey is the key of a calculation.
func (s *Service) tokensKey(t *testing.T, c *scorev1.Calculation) correlation.Key {
	t.Helper()
	id, err := correlation.ParseID(c.CorrelationId)
	if err != nil {
		t.Fatal(err)
	}
	found, _, err := s.store.Find(t.Context(), id, store.Leader)
	if err != nil || found == nil {
		t.Fatal(found, err)
	}
	return found.Key
}

func TestWhatCannotBeReadIsPutAside(t *testing.T) {
	b := start(t, product.HTTP, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, scored) })
	names, err := correlation.NewPseudonymizer(bytes.Repeat([]byte("k"), correlation.MinSecret))
	if err != nil {
		t.Fatal(err)
	}
	key := names.Key("default", "credit", "42")
	if started, err := b.store.Start(t.Context(), key, &scorev1.Calculation{CorrelationId: "garbage"}); !started || err != nil {
		t.Fatal(started, err)
	}
	for free := false; !free; { // the key is free as soon as the message is put aside
		c := &scorev1.Calculation{
			CorrelationId: correlation.NewID(key, time.Now()).String(), Product: "credit", CustomerId: "42",
			CreatedAt: timestamppb.Now(), Deadline: timestamppb.New(time.Now().Add(time.Minute)),
		}
		if free, err = b.store.Start(t.Context(), key, c); err != nil {
			t.Fatal(err)
		}
	}
	b.completion()
}

func FuzzToken(f *testing.F) {
	names, err := correlation.NewPseudonymizer(bytes.Repeat([]byte("k"), correlation.MinSecret))
	if err != nil {
		f.Fatal(err)
	}
	key := names.Key("default", "credit", "42")
	id := correlation.NewID(key, time.Now())
	ts := tokens{bytes.Repeat([]byte("k"), correlation.MinSecret)}
	good := ts.issue(&store.Calculation{ID: id, Key: key, Sequence: 7}, time.Now())
	f.Add(good)
	f.Add("")
	f.Add(".")
	f.Fuzz(func(t *testing.T, token string) {
		p, ok := ts.open(id, token)
		if !ok && token == good {
			t.Fatal("the token was refused")
		}
		if ok && (p.key != key || p.sequence != 7) {
			t.Fatalf("%+v", p)
		}
	})
}
