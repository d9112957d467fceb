package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/retry"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// patience is how long anything may take that must happen, on a machine that does a lot else.
const patience = 60 * time.Second

// looks is how often something is looked at that announces itself nowhere.
var looks = retry.Policy{First: 10 * time.Millisecond, Most: 100 * time.Millisecond}

// eventually returns when look finds nothing to complain of.
func eventually(t testing.TB, look func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := retry.Do(ctx, looks, look); err != nil {
		t.Fatal(err)
	}
}

// witness asks as clients do, remembers what it was promised, and in the end looks whether all of that came true.
type witness struct {
	nc      *nats.Conn
	js      jetstream.JetStream
	client  *client.Client
	backend *backend
	names   *correlation.Pseudonymizer

	mu        sync.Mutex
	promised  map[string]string // correlation ID -> customer
	announced map[string]int    // results, by correlation ID
}

// newWitness needs a connection that never gives up.
func newWitness(t testing.TB, nc *nats.Conn, b *backend, secret []byte) *witness {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	names, err := correlation.NewPseudonymizer(secret)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{
		nc: nc, js: js, client: client.New(nc), backend: b, names: names, promised: map[string]string{}, announced: map[string]int{},
	}
	if _, err := nc.Subscribe(subject.AllResults, func(msg *nats.Msg) {
		if id, ok := subject.ParseID(msg.Subject); ok {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.announced[id.String()]++
		}
	}); err != nil {
		t.Fatal(err)
	}
	return w
}

// try is how long a client waits for one answer before it asks again: whoever should have answered may be dead.
const try = 3 * time.Second

// ask asks as clients are told to: what got no answer is repeated, and so is, by those who wait, what is still PENDING.
func (w *witness) ask(ctx context.Context, r *scorev1.RequestScoreRequest) (*scorev1.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var answer *scorev1.Answer
	err := retry.Do(ctx, looks, func() error {
		var err error
		if answer, err = w.askOnce(ctx, r); err == nil && answer.Status == scorev1.Status_PENDING && r.Wait != nil {
			err = fmt.Errorf("%s is still pending", answer.CorrelationId)
		}
		if f, ok := errors.AsType[*fault.Error](err); ok && !f.Retryable() {
			return retry.Stop(err)
		}
		return err
	})
	return answer, err
}

func (w *witness) askOnce(ctx context.Context, r *scorev1.RequestScoreRequest) (*scorev1.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, try)
	defer cancel()
	answer, err := w.client.Request(ctx, r)
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.promised[answer.CorrelationId] = r.CustomerId
	}
	return answer, err
}

// promises is what was promised so far.
func (w *witness) promises() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.promised)
}

// stores is what the stores hold when nothing goes on any more.
type stores struct {
	results map[string]*scorev1.Answer
	records map[correlation.Key]store.Record
	letters map[string][]string // reasons, by correlation ID
}

// quiet returns what the stores hold once nothing goes on any more: no calculation, no completion, no timer, nothing that somebody works on.
func (w *witness) quiet(t testing.TB) stores {
	t.Helper()
	eventually(t, func() error { return w.busy(t.Context()) })
	s := stores{results: map[string]*scorev1.Answer{}, records: map[correlation.Key]store.Record{}, letters: map[string][]string{}}
	w.each(t, subject.Results, func(m jetstream.Msg, _ uint64) {
		result, err := store.ReadResult(m.Data())
		if err != nil || m.Subject() != "score.v1.result."+result.CorrelationId {
			t.Errorf("%s is no result: %v", m.Subject(), err)
			return
		}
		s.results[result.CorrelationId] = result
	})
	w.each(t, "KV_"+subject.Scores, func(m jetstream.Msg, revision uint64) {
		key, ok := subject.ParseRecord(m.Subject())
		if !ok {
			t.Errorf("%s is no key", m.Subject())
		}
		s.records[key] = store.ReadRecord(revision, m.Data())
	})
	w.each(t, subject.DeadLetters, func(m jetstream.Msg, _ uint64) {
		id, _ := subject.ParseID(m.Subject())
		s.letters[id.String()] = append(s.letters[id.String()], m.Headers().Get(store.ReasonHeader))
	})
	return s
}

// busy says what still goes on.
func (w *witness) busy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, busy := w.backend.called(); busy {
		return errors.New("the backend is still called")
	}
	for name, filter := range map[string]string{
		subject.Calculations: subject.AllCalculations, subject.Completions: subject.AllCompletions, subject.Timers: "score.v1.time*.*",
	} {
		stream, err := w.js.Stream(ctx, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		info, err := stream.Info(ctx, jetstream.WithSubjectFilter(filter))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		left := info.State.Subjects
		if name == subject.Timers { // it also holds claims, which stay for a while
			for claim := range left {
				if id, _ := subject.ParseID(claim); claim == subject.Claim(id) {
					delete(left, claim)
				}
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("left over in %s: %v", name, left)
		}
		consumers := stream.ListConsumers(ctx)
		for c := range consumers.Info() {
			if c.NumAckPending > 0 || c.NumPending > 0 {
				return fmt.Errorf("consumer %s has %d pending, %d not acknowledged", c.Name, c.NumPending, c.NumAckPending)
			}
		}
		if err := consumers.Err(); err != nil {
			return fmt.Errorf("consumers of %s: %w", name, err)
		}
	}
	return nil
}

// each calls see for every message of a stream. A stream that was never written over or removed from has as many as it stored.
func (w *witness) each(t testing.TB, name string, see func(m jetstream.Msg, sequence uint64)) {
	t.Helper()
	stream, err := w.js.Stream(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	state := stream.CachedInfo().State
	if name == subject.Results && state.LastSeq != state.Msgs {
		t.Errorf("%d results were stored and %d are there: a correlation ID had more than one", state.LastSeq, state.Msgs)
	}
	if state.Msgs == 0 {
		return
	}
	consumer, err := stream.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	for {
		m, err := messages.Next()
		if err != nil {
			t.Fatal(err)
		}
		meta, err := m.Metadata()
		if err != nil {
			t.Fatal(err)
		}
		see(m, meta.Sequence.Stream)
		if meta.NumPending == 0 {
			return
		}
	}
}
