package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/scoreflow/scoreflow/pkg/client"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// What `make run` runs is killed in the middle of calculations, twice, and started again on the same store. Each promised result comes.
func TestAllInOneIsKilledAndStartedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t) // its backend survives
	port := freePort(t)
	dev := &service{w: w, name: "dev", binary: "scoreflow", says: "serving", args: []string{
		"dev", "--config", filepath.Join(w.dir, "config.yaml"), "--store", filepath.Join(w.dir, "dev"), "--nats-port", port,
		"--adapter-listen", "127.0.0.1:" + freePort(t), "--demo-listen", "127.0.0.1:0",
		"--http-listen", "127.0.0.1:0", "--http-admin", "127.0.0.1:0",
	}}
	w.services = []*service{dev}
	dev.restart()
	nc, err := nats.Connect("nats://127.0.0.1:"+port, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	c := client.New(nc)

	const each = 20
	called := make(chan struct{}, 1000)
	w.backend.answers(func(ctx context.Context, _ call) verdict {
		called <- struct{}{}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
		}
		return verdict{}
	})
	var ids []string
	for round := range 2 {
		for i := range each {
			for _, product := range []string{credit, report} {
				answer, err := c.Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: fmt.Sprint(round, i), Product: product})
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, answer.CorrelationId)
			}
		}
		for range each {
			<-called
		}
		dev.kill()
		dev.restart()
	}
	for _, id := range ids {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		answer, err := c.Watch(ctx, id)
		cancel()
		if err != nil || answer.Status != scorev1.Status_READY || w.backend.author(answer.Score) != id {
			t.Fatalf("%s: %v, %v", id, answer, err)
		}
	}
	counts, _ := w.backend.called()
	for id, n := range counts {
		if n > 3 {
			t.Errorf("the backend was called %d times for %s", n, id)
		}
	}
}
