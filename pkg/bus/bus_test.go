package bus

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap/zaptest"

	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func stream(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = js.CreateStream(t.Context(), jetstream.StreamConfig{
		Name: "S", Subjects: []string{"s.*"}, MaxMsgsPerSubject: 2, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestPublishTellsDecisions(t *testing.T) {
	js := stream(t, natstest.Run(t).Conn())
	publish := func(opts ...Option) error {
		_, err := Publish(t.Context(), js.Conn(), nats.NewMsg("s.a"), opts...)
		return err
	}
	if err := publish(ExpectLast(0)); err != nil {
		t.Fatal(err)
	}
	if err := publish(ExpectLast(0)); !errors.Is(err, ErrConflict) {
		t.Error(err)
	}
	if err := publish(); err != nil {
		t.Error(err)
	}
	if err := publish(); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
}

func TestPublishOutlastsARestart(t *testing.T) {
	server := natstest.RunTCP(t)
	nc, err := Connect(t.Context(), Config{URL: server.URL(), Name: "test"}, zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js := stream(t, nc)
	server.Stop()
	done := make(chan error)
	go func() {
		_, err := Publish(t.Context(), js.Conn(), nats.NewMsg("s.a"))
		done <- err
	}()
	server.Start()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestConnectWaitsForTheServer(t *testing.T) {
	server := natstest.RunTCP(t)
	server.Stop()
	done := make(chan error)
	go func() {
		nc, err := Connect(t.Context(), Config{URL: server.URL(), Name: "test"}, zaptest.NewLogger(t))
		if err == nil {
			nc.Close()
		}
		done <- err
	}()
	server.Start()
	if err := <-done; err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	server.Stop()
	if _, err := Connect(ctx, Config{URL: server.URL(), Name: "test"}, zaptest.NewLogger(t)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestConsumeHandlesSoManyAtOnceAndNoMore(t *testing.T) {
	js := stream(t, natstest.Run(t).Conn())
	consumer, err := js.CreateOrUpdateConsumer(t.Context(), "S", jetstream.ConsumerConfig{Durable: "c", AckPolicy: jetstream.AckExplicitPolicy})
	if err != nil {
		t.Fatal(err)
	}
	const limit, all = 4, 50
	for i := range all {
		if _, err := js.Publish(t.Context(), "s."+strings.Repeat("x", i+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var now, most, handled atomic.Int32
	full := make(chan struct{})
	Consume(ctx, consumer, limit, func(m jetstream.Msg) {
		n := now.Add(1)
		defer now.Add(-1)
		for most.Load() < n {
			most.Store(n)
		}
		if n == limit && handled.Load() < limit { // the first ones meet
			close(full)
		}
		<-full
		if err := m.Ack(); err != nil {
			t.Error(err)
		}
		if handled.Add(1) == all {
			cancel()
		}
	}, zaptest.NewLogger(t))
	if handled.Load() != all || most.Load() != limit || now.Load() != 0 {
		t.Errorf("%d handled, %d at once, %d under way", handled.Load(), most.Load(), now.Load())
	}
}

func TestWhatIsBeyondTheLimitIsOverloaded(t *testing.T) {
	server := natstest.Run(t)
	s, err := NewService(t.Context(), server.Conn(), "test", "0.0.0", "", zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	held, free := make(chan struct{}), make(chan struct{})
	err = s.Serve(Endpoint{Name: "e", Subject: "e", Limit: 1, Handle: func(_ context.Context, r *Request) {
		held <- struct{}{}
		<-free
		r.Answer(&scorev1.Answer{Product: "credit"})
	}})
	if err != nil {
		t.Fatal(err)
	}
	nc := server.Conn()
	first := make(chan *nats.Msg)
	go func() {
		msg, err := nc.RequestMsgWithContext(t.Context(), nats.NewMsg("e"))
		if err != nil {
			t.Error(err)
		}
		first <- msg
	}()
	<-held
	msg, err := nc.RequestMsgWithContext(t.Context(), nats.NewMsg("e"))
	if err != nil {
		t.Fatal(err)
	}
	if err := wire.ReadReply(msg, &scorev1.Answer{}); err == nil || !strings.Contains(err.Error(), "OVERLOADED") {
		t.Error(err)
	}
	close(free)
	answer := &scorev1.Answer{}
	if err := wire.ReadReply(<-first, answer); err != nil || answer.Product != "credit" {
		t.Error(answer, err)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func TestAnswersOfStreams(t *testing.T) {
	for in, want := range map[string]uint64{
		`{"stream":"S","seq":42}`: 42, `{"stream":"S","domain":"d","seq":7}`: 7, `{"stream":"S","seq":9,"duplicate": true}`: 9,
		`{"seq": 3, "stream": "S"}`: 3,
		`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"S","seq":0}`: 0,
		`{"stream":"S","seq":0}`: 0, `{"stream":"S","seq":`: 0, `{}`: 0, `{"stream":"S","seq":12x}`: 0, ``: 0,
	} {
		if got, err := stored([]byte(in)); got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: %d, %v", in, got, err)
		}
	}
}
