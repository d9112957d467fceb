package e2e

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
	"github.com/scoreflow/scoreflow/services/correlator"
)

// What nobody of ours can have written is moved out of the way, with its bytes, and the key it stood on works again.
func TestRandomBytesInTheStreamsAreMovedAway(t *testing.T) {
	s := newSuite(t, nil)
	key := s.names.Key("default", credit, "42")
	id := correlation.NewID(key, time.Now())
	other := correlation.NewID(s.names.Key("default", credit, "43"), time.Now())
	calculation := &scorev1.Calculation{
		CorrelationId: other.String(), Product: credit, CustomerId: "43", CreatedAt: timestamppb.Now(), Deadline: timestamppb.Now(),
	}
	misplaced, err := proto.Marshal(calculation)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, stream, subject string
		data                  []byte
	}{
		{"bytes on a key", subject.Calculations, subject.Calculation(key), random(64)},
		{"nothing on a key", subject.Calculations, subject.Calculation(key), nil},
		{"a megabyte on a key", subject.Calculations, subject.Calculation(key), random(1 << 20)},
		{"another's calculation on a key", subject.Calculations, subject.Calculation(key), misplaced},
		{"bytes beside the keys of a product", subject.Calculations, "score.v1.calculation.credit.a.b", random(64)},
		{"bytes for no product", subject.Calculations, "score.v1.calculation.x.y.z", random(64)},
		{"bytes as a completion", subject.Completions, subject.Completion(id), random(64)},
		{"nothing as a completion", subject.Completions, subject.Completion(id), nil},
		{"a megabyte as a completion", subject.Completions, subject.Completion(id), random(1 << 20)},
		{"a completion of nothing", subject.Completions, "score.v1.completion.nothing", random(64)},
	} {
		t.Run(row.name, func(t *testing.T) {
			stream, err := s.js.Stream(t.Context(), row.stream)
			if err != nil {
				t.Fatal(err)
			}
			ack, err := s.js.Publish(t.Context(), row.subject, row.data)
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, func() error {
				if _, err := stream.GetMsg(t.Context(), ack.Sequence); err == nil {
					return fmt.Errorf("it is still at %d of %s", ack.Sequence, row.stream)
				}
				return nil
			})
			dead, err := s.js.Stream(t.Context(), subject.DeadLetters)
			if err != nil {
				t.Fatal(err)
			}
			moved, err := dead.GetLastMsgForSubject(t.Context(), subject.Invalid(row.stream))
			if err != nil {
				t.Fatal(err)
			}
			if moved.Header.Get(store.OriginHeader) != row.subject || moved.Header.Get(store.ReasonHeader) == "" ||
				!bytes.HasPrefix(row.data, moved.Data) || len(moved.Data) < min(len(row.data), 900_000) {
				t.Errorf("moved: %v, %d bytes", moved.Header, len(moved.Data))
			}
			s.works("42")
		})
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

// Random bytes on all other subjects, too, end no calculation that is under way and hinder none that comes.
func TestRandomBytesDoNotDisturbACalculation(t *testing.T) {
	for _, row := range []struct {
		product string
		subject func(correlation.Key, correlation.ID) string
	}{
		{credit, func(key correlation.Key, _ correlation.ID) string { return subject.Calculation(key) }},
		{credit, func(key correlation.Key, _ correlation.ID) string { return subject.Record(key) }},
		{credit, func(correlation.Key, correlation.ID) string { return "$KV.scores.nothing" }},
		{credit, func(_ correlation.Key, id correlation.ID) string { return subject.Completion(id) }},
		{credit, func(_ correlation.Key, id correlation.ID) string { return subject.Commit(id) }},
		{credit, func(correlation.Key, correlation.ID) string { return "score.v1.commit.nothing" }},
		{credit, func(_ correlation.Key, id correlation.ID) string { return subject.Result(id) }},
		{credit, func(correlation.Key, correlation.ID) string { return "score.v1.result.nothing" }},
		{credit, func(_ correlation.Key, id correlation.ID) string { return subject.Timeout(id) }},
		{credit, func(correlation.Key, correlation.ID) string { return "score.v1.timeout.nothing" }},
		{fraud, func(_ correlation.Key, id correlation.ID) string { return subject.Claim(id) }},
		{report, func(_ correlation.Key, id correlation.ID) string { return subject.Timer(id) }},
		{report, func(_ correlation.Key, id correlation.ID) string { return subject.Timeout(id) }},
		{report, func(_ correlation.Key, id correlation.ID) string { return subject.Dead(report, id) }},
		{report, func(correlation.Key, correlation.ID) string { return subject.Invalid("nothing") }},
	} {
		t.Run(row.product+" "+row.subject(correlation.Key{}, correlation.ID{}), func(t *testing.T) {
			t.Parallel()
			s := newSuite(t, nil)
			called, release := make(chan struct{}), make(chan struct{})
			s.backend.answers(func(_ context.Context, c call) verdict {
				if c.Product == row.product && c.nth == 1 && s.backend.all() == 1 {
					close(called)
					<-release
				}
				return verdict{}
			})
			pending, err := s.ask(t.Context(), &scorev1.RequestScoreRequest{CustomerId: "42", Product: row.product})
			if err != nil {
				t.Fatal(err)
			}
			await(t, called, "the call")
			id, err := correlation.ParseID(pending.CorrelationId)
			if err != nil {
				t.Fatal(err)
			}
			to := row.subject(s.names.Key("default", row.product, "42"), id)
			for _, data := range [][]byte{random(64), nil} {
				if err := s.nc.PublishMsg(&nats.Msg{Subject: to, Data: data}); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.nc.Flush(); err != nil {
				t.Fatal(err)
			}
			close(release)
			answer, err := s.ask(t.Context(), &scorev1.RequestScoreRequest{CustomerId: "42", Product: row.product, Wait: durationpb.New(patience)})
			// It may have looked before the score was there and started after the release; then its calculation ends with that score.
			if n := s.backend.all(); err != nil || answer.Status != scorev1.Status_READY || n != 1 {
				t.Errorf("%d calls, %v, %v", n, answer, err)
			}
			s.works("42")
		})
	}
}

// What the backend answers waits until its place is free, and is not asked for again.
func TestAnOutcomeOutlivesRandomBytesInItsPlace(t *testing.T) {
	t.Parallel()
	var settler correlator.Config
	s := newSuite(t, func(c *setup) {
		c.correlators = 0
		settler = c.correlator
		settler.Products = c.products
	})
	called, release := s.calling()
	waiter := s.waits(&scorev1.RequestScoreRequest{CustomerId: "42"})
	id := s.awaitCall(called).ID
	tries, err := s.nc.SubscribeSync("score.v1.completion." + id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.js.Publish(t.Context(), "score.v1.completion."+id, random(64)); err != nil {
		t.Fatal(err)
	}
	release()
	for range 3 { // the random bytes, and two times that the adapter found them there
		if _, err := tries.NextMsg(patience); err != nil {
			t.Fatal(err)
		}
	}
	run(s, "correlator", settler, correlator.New)
	if answer := <-waiter; answer.GetStatus() != scorev1.Status_READY || answer.CorrelationId != id {
		t.Errorf("%v", answer)
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

func random(n int) []byte {
	data := make([]byte, n)
	_, _ = crand.Read(data)
	return data
}
