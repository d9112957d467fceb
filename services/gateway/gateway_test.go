package gateway

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zaptest"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/store"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// bench is a gateway on a server, with the test in the place of adapter and correlator.
type bench struct {
	*testing.T
	service *Service
	client  *client.Client
	store   *store.Store
	stop    func() // drains the gateway
}

func start(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	server := natstest.Run(t)
	cfg := Config{
		Products: product.Catalog{"credit": {Backend: product.Backend{Kind: product.HTTP, URL: "http://127.0.0.1:1"}}},
		Secret:   secret,
	}
	if change != nil {
		change(&cfg)
	}
	s, err := New(t.Context(), cfg, server.Conn(), zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	st, err := store.Open(t.Context(), server.Conn(), store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &bench{T: t, service: s, client: client.New(server.Conn()), store: st, stop: stop}
}

// waiting returns when that many requests have been promised a calculation and wait.
func (b *bench) waiting(n int) {
	b.Helper()
	ws := b.service.waiting
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		now := 0
		ws.mu.Lock()
		for _, all := range ws.by {
			for _, w := range all.waiters {
				if w.timer != nil {
					now++
				}
			}
		}
		ws.mu.Unlock()
		if now == n {
			return
		}
		select {
		case <-look.C:
		case <-b.Context().Done():
			b.Fatalf("%d requests wait, not %d", now, n)
		}
	}
}

var secret = bytes.Repeat([]byte("k"), correlation.MinSecret)

func key(customer string) correlation.Key {
	names, _ := correlation.NewPseudonymizer(secret)
	return names.Key("default", "credit", customer)
}

func (b *bench) request(r *scorev1.RequestScoreRequest) *scorev1.Answer {
	b.Helper()
	answer, err := b.client.Request(b.Context(), r)
	if err != nil {
		b.Fatal(err)
	}
	return answer
}

// settle does what a correlator does with a score of 700.
func (b *bench) settle(customer, cid string, validity time.Duration) {
	b.Helper()
	id, err := correlation.ParseID(cid)
	if err != nil {
		b.Fatal(err)
	}
	record, err := b.store.Record(b.Context(), key(customer), store.Leader)
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	value := int32(700)
	sc := &scorev1.Score{
		Outcome: scorev1.Outcome_SCORED, Value: &value, RangeMin: 300, RangeMax: 850,
		CalculatedAt: timestamppb.New(now), ValidUntil: timestamppb.New(now.Add(validity)),
	}
	doc := &scorev1.Record{Score: sc, CorrelationId: cid, BeganAt: timestamppb.New(now)}
	revision, stored, err := b.store.Put(b.Context(), key(customer), doc, record.Revision, now)
	if err != nil || !stored {
		b.Fatal(stored, err)
	}
	result := &scorev1.Answer{
		CorrelationId: cid, Status: scorev1.Status_READY, Product: "credit", CustomerId: customer, Score: sc, Revision: revision,
	}
	if stored, err := b.store.Commit(b.Context(), id, result); err != nil || !stored {
		b.Fatal(stored, err)
	}
	c, _, err := b.store.Find(b.Context(), id, store.Leader)
	if err != nil || c == nil {
		b.Fatal(c, err)
	}
	if err := b.store.Release(b.Context(), c.Sequence); err != nil {
		b.Fatal(err)
	}
}

func TestAWaitEndsInPendingAndTheResultIsFetched(t *testing.T) {
	b := start(t, nil)
	answer := b.request(&scorev1.RequestScoreRequest{CustomerId: "42", Wait: durationpb.New(50 * time.Millisecond), ClientReference: "mine"})
	if answer.Status != scorev1.Status_PENDING || answer.State != scorev1.State_RUNNING || answer.Eta == nil || answer.Cache != scorev1.Cache_MISS ||
		answer.ClientReference != "mine" {
		t.Fatalf("%v", answer)
	}
	again := b.request(&scorev1.RequestScoreRequest{CustomerId: "42"})
	if again.Status != scorev1.Status_PENDING || again.CorrelationId != answer.CorrelationId || again.Cache != scorev1.Cache_JOINED {
		t.Fatalf("%v", again)
	}
	for _, f := range []*scorev1.FetchScoreRequest{{CorrelationId: answer.CorrelationId}, {CustomerId: "42"}} {
		pending, err := b.client.Fetch(t.Context(), f)
		if err != nil || pending.Status != scorev1.Status_PENDING || pending.CorrelationId != answer.CorrelationId {
			t.Fatalf("%v: %v, %v", f, pending, err)
		}
	}
	b.settle("42", answer.CorrelationId, time.Hour)
	for _, f := range []*scorev1.FetchScoreRequest{{CorrelationId: answer.CorrelationId}, {CustomerId: "42"}} {
		ready, err := b.client.Fetch(t.Context(), f)
		if err != nil || ready.Status != scorev1.Status_READY || ready.Score.GetValue() != 700 || ready.CustomerId != "42" || ready.Age == nil {
			t.Fatalf("%v: %v, %v", f, ready, err)
		}
	}
}

func TestEveryWaiterGetsTheResult(t *testing.T) {
	b := start(t, nil)
	first := b.request(&scorev1.RequestScoreRequest{CustomerId: "42"})
	answers := make(chan *scorev1.Answer)
	for range 20 {
		go func() {
			a, err := b.client.Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: "42", Wait: durationpb.New(time.Minute)})
			if err != nil {
				t.Error(err)
			}
			answers <- a
		}()
	}
	b.waiting(20)
	b.settle("42", first.CorrelationId, time.Hour)
	for range 20 {
		if a := <-answers; a.GetStatus() != scorev1.Status_READY || a.CorrelationId != first.CorrelationId {
			t.Errorf("%v", a)
		}
	}
}

func TestAnExpiredScoreIsToldByIDOnly(t *testing.T) {
	b := start(t, nil)
	cid := b.request(&scorev1.RequestScoreRequest{CustomerId: "42"}).CorrelationId
	b.settle("42", cid, -time.Second)
	byID, err := b.client.Fetch(t.Context(), &scorev1.FetchScoreRequest{CorrelationId: cid})
	if err != nil || !byID.Expired {
		t.Errorf("by correlation ID: %v, %v", byID, err)
	}
	_, err = b.client.Fetch(t.Context(), &scorev1.FetchScoreRequest{CustomerId: "42"})
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != scorev1.Code_NOT_FOUND || f.CalculatedAt.IsZero() {
		t.Errorf("by customer: %v", err)
	}
	if a := b.request(&scorev1.RequestScoreRequest{CustomerId: "42"}); a.Status != scorev1.Status_PENDING || a.CorrelationId == cid {
		t.Errorf("request: %v", a)
	}
}

func TestADrainedGatewayAnswersThoseWhoWait(t *testing.T) {
	b := start(t, nil)
	first := b.request(&scorev1.RequestScoreRequest{CustomerId: "42"})
	got := make(chan *scorev1.Answer)
	go func() {
		a, err := b.client.Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: "42", Wait: durationpb.New(time.Minute)})
		if err != nil {
			t.Error(err)
		}
		got <- a
	}()
	b.waiting(1)
	b.stop()
	if a := <-got; a.GetStatus() != scorev1.Status_PENDING || a.CorrelationId != first.CorrelationId {
		t.Errorf("%v", a)
	}
}

func TestNoRoomToWaitIsPendingAtOnce(t *testing.T) {
	b := start(t, func(c *Config) { c.MaxWaiting = 1 })
	held := make(chan *scorev1.Answer, 2)
	for range 2 {
		go func() {
			a, err := b.client.Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: "42", Wait: durationpb.New(time.Minute)})
			if err != nil {
				t.Error(err)
			}
			held <- a
		}()
	}
	early := <-held // one of them found no room
	if early.GetStatus() != scorev1.Status_PENDING {
		t.Fatalf("%v", early)
	}
	b.settle("42", early.CorrelationId, time.Hour)
	if a := <-held; a.GetStatus() != scorev1.Status_READY {
		t.Errorf("%v", a)
	}
}

func TestBadRequestsNameTheField(t *testing.T) {
	b := start(t, nil)
	second := durationpb.New(time.Second)
	many := map[string]string{}
	for range maxAttributes + 1 {
		many[strings.Repeat("x", len(many)+1)] = ""
	}
	for field, r := range map[string]*scorev1.RequestScoreRequest{
		"customer_id":      {},
		"wait":             {CustomerId: "42", Wait: durationpb.New(-time.Second)},
		"max_age":          {CustomerId: "42", MaxAge: &durationpb.Duration{}},
		"min_remaining":    {CustomerId: "42", MinRemaining: &durationpb.Duration{Seconds: 1, Nanos: -1}},
		"product":          {CustomerId: "42", Product: "no-such"},
		"refresh":          {CustomerId: "42", Refresh: true, OnlyIfCached: true, Wait: second},
		"client_reference": {CustomerId: "42", ClientReference: strings.Repeat("x", maxReference+1)},
		"attributes":       {CustomerId: "42", Attributes: many},
	} {
		_, err := b.client.Request(t.Context(), r)
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != scorev1.Code_INVALID_ARGUMENT || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, id := range []string{strings.Repeat("x", maxCustomerID+1), "a\x00b", "line\nbreak"} {
		_, err := b.client.Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: id})
		if f, ok := errors.AsType[*fault.Error](err); !ok || f.Field != "customer_id" {
			t.Errorf("%.10q: %v", id, err)
		}
	}
}

func TestOnlyIfCachedNeverCalculates(t *testing.T) {
	b := start(t, nil)
	_, err := b.client.Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: "42", OnlyIfCached: true})
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != scorev1.Code_NOT_CACHED {
		t.Error(err)
	}
	if c, err := b.store.First(t.Context(), key("42"), store.Leader); c != nil || err != nil {
		t.Error("a calculation was started", c, err)
	}
}

func TestConfigNamesTheField(t *testing.T) {
	good := Config{Secret: secret, Products: product.Catalog{"credit": {Backend: product.Backend{Kind: product.HTTP, URL: "http://x"}}}}.WithDefaults()
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for field, change := range map[string]func(*Config){
		"secret":                       func(c *Config) { c.Secret = []byte("short") },
		"cache_bytes":                  func(c *Config) { c.CacheBytes = -1 },
		"max_wait":                     func(c *Config) { c.MaxWait = -1 },
		"max_waiting":                  func(c *Config) { c.MaxWaiting = -1 },
		"products: there is none":      func(c *Config) { c.Products = nil },
		"products.credit.backend.kind": func(c *Config) { c.Products = product.Catalog{"credit": {}}.WithDefaults() },
	} {
		bad := good
		change(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}
