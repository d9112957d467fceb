package correlator

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap/zaptest"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// bench is a correlator on a server, with the test in the place of gateway and adapter.
type bench struct {
	*testing.T
	store   *store.Store
	results *nats.Subscription
	dead    *nats.Subscription
}

func start(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	server := natstest.Run(t)
	backend := product.Backend{Kind: product.HTTP, URL: "http://127.0.0.1:1"}
	cfg := Config{Products: product.Catalog{"credit": {Backend: backend, Deadline: time.Minute, FailureMemo: time.Minute}}, SweepEvery: 20 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	s, err := New(t.Context(), cfg, server.Conn(), zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	nc := server.Conn()
	results, err1 := nc.SubscribeSync(subject.AllResults)
	dead, err2 := nc.SubscribeSync(subject.AllDead)
	if err1 != nil || err2 != nil || nc.Flush() != nil {
		t.Fatal(err1, err2)
	}
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &bench{T: t, store: s.store, results: results, dead: dead}
}

func (b *bench) key() correlation.Key {
	names, err := correlation.NewPseudonymizer(bytes.Repeat([]byte("k"), correlation.MinSecret))
	if err != nil {
		b.Fatal(err)
	}
	return names.Key("default", "credit", "42")
}

// calculation starts one and returns it as it is stored.
func (b *bench) calculation(deadline time.Duration) *store.Calculation {
	b.Helper()
	now := time.Now()
	id := correlation.NewID(b.key(), now)
	for started := false; !started; { // the one before may not be released yet
		var err error
		started, err = b.store.Start(b.Context(), b.key(), &scorev1.Calculation{
			CorrelationId: id.String(), Product: "credit", CustomerId: "42",
			CreatedAt: timestamppb.New(now), Deadline: timestamppb.New(now.Add(deadline)),
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	c, _, err := b.store.Find(b.Context(), id, store.Leader)
	if err != nil || c == nil {
		b.Fatal(c, err)
	}
	return c
}

// report completes a calculation with a score.
func (b *bench) report(c *store.Calculation, value int32, orphan bool) {
	b.Helper()
	done := &scorev1.Completion{
		CorrelationId: c.CorrelationId, Key: c.Key.String(), Sequence: c.Sequence, BeganAt: timestamppb.Now(),
		End: &scorev1.Completion_Report{Report: &scorev1.Report{
			Result:   &scorev1.Report_Score{Score: &scorev1.Score{Outcome: scorev1.Outcome_SCORED, Value: &value, RangeMin: 300, RangeMax: 850}},
			Validity: durationpb.New(time.Hour),
		}},
	}
	if !orphan {
		done.Calculation = c.Calculation
	}
	b.complete(c, done)
}

func (b *bench) complete(c *store.Calculation, done *scorev1.Completion) {
	b.Helper()
	for stored := false; !stored; { // the one before may not be acknowledged yet
		var err error
		if stored, err = b.store.Complete(b.Context(), c.ID, done); err != nil {
			b.Fatal(err)
		}
	}
}

// result is the next that is announced.
func (b *bench) result() *scorev1.Answer {
	b.Helper()
	msg, err := b.results.NextMsg(10 * time.Second)
	if err != nil {
		b.Fatal(err)
	}
	r, err := store.ReadResult(msg.Data)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// letter is the next that is buried.
func (b *bench) letter() *scorev1.Dead {
	b.Helper()
	msg, err := b.dead.NextMsg(10 * time.Second)
	if err != nil {
		b.Fatal(err)
	}
	letter := &scorev1.Dead{}
	if err := proto.Unmarshal(msg.Data, letter); err != nil {
		b.Fatal(err)
	}
	return letter
}

func (b *bench) record() store.Record {
	b.Helper()
	r, err := b.store.Record(b.Context(), b.key(), store.Leader)
	if err != nil {
		b.Fatal(err)
	}
	return r
}

func TestAScoreIsStoredBeforeItsResultIsAnnounced(t *testing.T) {
	b := start(t, nil)
	c := b.calculation(time.Minute)
	b.report(c, 700, false)
	r := b.result()
	record := b.record()
	if r.Status != scorev1.Status_READY || r.Score.GetValue() != 700 || r.CustomerId != "42" || r.CorrelationId != c.CorrelationId {
		t.Errorf("%v", r)
	}
	if record.ID != c.ID || record.Revision != r.Revision {
		t.Errorf("%v, announced with revision %d", record, r.Revision)
	}
	if left := r.Score.ValidUntil.AsTime().Sub(r.Score.CalculatedAt.AsTime()); left != time.Hour {
		t.Errorf("valid for %v", left)
	}
	next := b.calculation(time.Minute) // the key is free
	b.report(next, 710, false)
	if r := b.result(); r.Score.GetValue() != 710 {
		t.Errorf("%v", r)
	}
}

func TestAFailureIsRememberedBesideTheScore(t *testing.T) {
	b := start(t, nil)
	b.report(b.calculation(time.Minute), 700, false)
	first := b.result()
	c := b.calculation(time.Minute)
	b.complete(c, &scorev1.Completion{
		CorrelationId: c.CorrelationId, Key: c.Key.String(), Sequence: c.Sequence, Calculation: c.Calculation, BeganAt: timestamppb.Now(),
		End: &scorev1.Completion_Failed{Failed: &scorev1.Failure{Code: scorev1.Code_BACKEND_UNAVAILABLE, Retryable: true}},
	})
	r := b.result()
	if r.Status != scorev1.Status_FAILED || r.Failure.GetCode() != scorev1.Code_BACKEND_UNAVAILABLE {
		t.Errorf("%v", r)
	}
	if record := b.record(); record.FailedID != c.ID || record.Doc.CorrelationId != first.CorrelationId || !record.FailedUntil.After(time.Now()) {
		t.Errorf("%+v", record.Record)
	}
	if letter := b.letter(); letter.GetCalculation().GetCorrelationId() != c.CorrelationId || letter.Reason == "" {
		t.Errorf("%v", letter)
	}
}

func TestAnOverdueCalculationEndsAndALateScoreIsKept(t *testing.T) {
	b := start(t, nil)
	c := b.calculation(-time.Minute) // the sweep finds it
	if r := b.result(); r.Status != scorev1.Status_FAILED || r.Failure.GetCode() != scorev1.Code_DEADLINE_EXCEEDED {
		t.Fatalf("%v", r)
	}
	b.letter()
	b.report(c, 640, true)
	next := b.calculation(time.Minute) // settled after the late report
	b.complete(next, &scorev1.Completion{
		CorrelationId: next.CorrelationId, Key: next.Key.String(), Sequence: next.Sequence, Calculation: next.Calculation,
		End: &scorev1.Completion_Cancelled{Cancelled: &scorev1.Failure{Message: "enough"}},
	})
	if r := b.result(); r.Status != scorev1.Status_CANCELLED || r.Failure.GetMessage() != "enough" {
		t.Errorf("%v", r)
	}
	stored, err := b.store.Result(t.Context(), c.ID, store.Leader)
	if err != nil || stored.Status != scorev1.Status_FAILED {
		t.Errorf("the result became %v, %v", stored, err)
	}
}

func TestASecondReportIsComparedWithTheFirst(t *testing.T) {
	b := start(t, nil)
	c := b.calculation(time.Minute)
	b.report(c, 700, false)
	b.result()
	b.report(c, 700, true) // the same: nothing more
	b.report(c, 333, true) // another: buried
	letter := b.letter()
	if letter.GetCompletion().GetReport().GetScore().GetValue() != 333 {
		t.Errorf("%v", letter)
	}
	if record := b.record(); record.Doc.Score.GetValue() != 700 {
		t.Errorf("%v", record.Doc)
	}
}

func TestAReportOfAnUnknownCalculationIsBuriedAtLast(t *testing.T) {
	b := start(t, func(c *Config) { c.Park = time.Millisecond })
	unknown := &store.Calculation{
		Calculation: &scorev1.Calculation{}, Key: b.key(), ID: correlation.NewID(b.key(), time.Now()), Sequence: 77,
	}
	unknown.CorrelationId = unknown.ID.String()
	b.report(unknown, 700, true)
	if letter := b.letter(); letter.GetCompletion().GetCorrelationId() != unknown.CorrelationId {
		t.Errorf("%v", letter)
	}
	if r, err := b.store.Result(t.Context(), unknown.ID, store.Leader); r != nil || err != nil {
		t.Errorf("it has a result: %v, %v", r, err)
	}
}

func TestAPassedTimerEndsItsCalculation(t *testing.T) {
	b := start(t, func(c *Config) { c.SweepEvery = time.Hour })
	c := b.calculation(500 * time.Millisecond)
	if err := b.store.SetTimer(t.Context(), c.ID, c.CreatedAt.AsTime()); err != nil { // it fires early: a hint, put back until then
		t.Fatal(err)
	}
	if r := b.result(); r.CorrelationId != c.CorrelationId || r.Failure.GetCode() != scorev1.Code_DEADLINE_EXCEEDED {
		t.Errorf("%v", r)
	}
}

func TestTimesOfAReport(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	value := int32(700)
	for name, c := range map[string]struct {
		report          *scorev1.Report
		outcome         scorev1.Outcome
		calculated, end time.Time
	}{
		"the product's validity":           {&scorev1.Report{}, scorev1.Outcome_SCORED, now, now.Add(24 * time.Hour)},
		"a shorter one without a value":    {&scorev1.Report{}, scorev1.Outcome_NO_HIT, now, now.Add(time.Hour)},
		"the backend's validity":           {&scorev1.Report{Validity: durationpb.New(time.Minute)}, scorev1.Outcome_SCORED, now, now.Add(time.Minute)},
		"a validity of nothing is expired": {&scorev1.Report{Validity: durationpb.New(0)}, scorev1.Outcome_SCORED, now, now},
		"the backend's clock, behind":      {withTimes(now.Add(-time.Hour), now.Add(time.Hour)), scorev1.Outcome_SCORED, now.Add(-time.Hour), now.Add(time.Hour)},
		"the backend's clock, ahead of us": {withTimes(now.Add(time.Hour), now.Add(2*time.Hour)), scorev1.Outcome_SCORED, now, now.Add(2 * time.Hour)},
	} {
		sc := c.report.GetScore()
		if sc == nil {
			sc = &scorev1.Score{}
		}
		sc.Outcome, sc.Value = c.outcome, &value
		c.report.Result = &scorev1.Report_Score{Score: sc}
		s := &settling{
			received: now, policy: product.Catalog{}.Policy("credit"),
			completion: &scorev1.Completion{End: &scorev1.Completion_Report{Report: c.report}},
		}
		got := s.score()
		if !got.CalculatedAt.AsTime().Equal(c.calculated) || !got.ValidUntil.AsTime().Equal(c.end) {
			t.Errorf("%s: %v until %v", name, got.CalculatedAt.AsTime(), got.ValidUntil.AsTime())
		}
	}
}

func withTimes(calculated, until time.Time) *scorev1.Report {
	return &scorev1.Report{Result: &scorev1.Report_Score{Score: &scorev1.Score{
		CalculatedAt: timestamppb.New(calculated), ValidUntil: timestamppb.New(until),
	}}}
}
