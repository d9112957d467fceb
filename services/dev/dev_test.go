package dev_test

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap/zaptest"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/client"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
	"github.com/scoreflow/scoreflow/services/dev"
)

// suite is the whole suite, with a demo backend that takes no time.
func suite(t *testing.T) (*dev.Suite, *nats.Conn) {
	t.Helper()
	s, err := dev.New(t.Context(), dev.Config{
		Store: t.TempDir(), AdapterListen: "127.0.0.1:0", DemoListen: "127.0.0.1:0", HTTPListen: "127.0.0.1:0", HTTPAdmin: "127.0.0.1:0",
	}, zaptest.NewLogger(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		nc.Close()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, nc
}

func TestAScoreIsCalculatedOnceAndThenAtHand(t *testing.T) {
	_, nc := suite(t)
	c := client.New(nc)
	for _, product := range []string{"credit", "report"} {
		ask := &scorev1.RequestScoreRequest{CustomerId: "42", Product: product, Wait: durationpb.New(30 * time.Second), ClientReference: "mine"}
		first, err := c.Request(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		if first.Status != scorev1.Status_READY || first.Cache != scorev1.Cache_MISS || first.CustomerId != "42" || first.ClientReference != "mine" {
			t.Fatalf("first answer: %v", first)
		}
		second, err := c.Request(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		if second.Status != scorev1.Status_READY || second.Cache != scorev1.Cache_HIT || second.CorrelationId != first.CorrelationId ||
			second.Revision != first.Revision {
			t.Fatalf("second answer: %v, after %v", second, first)
		}
	}
}
