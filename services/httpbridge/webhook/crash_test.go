package webhook

import (
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// told is what is known when all is over, by delivery.
type told struct {
	requests map[string]int // that the receiver got
	attempts map[string]int // that are stored
}

// awaitAll waits until so many deliveries to an endpoint are delivered, and compares.
func awaitAll(t *testing.T, b *bridge, r *receiver, before []received, want int) {
	t.Helper()
	watcher, err := b.deliveries.kv.WatchAll(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = watcher.Stop() }()
	all := told{requests: map[string]int{}, attempts: map[string]int{}}
	of := map[string]correlation.ID{}
	for entry := range watcher.Updates() {
		if entry == nil || entry.Operation() != jetstream.KeyValuePut {
			continue
		}
		d, err := readDelivery(entry.Value())
		if err != nil {
			t.Fatal(err)
		}
		_, id, _ := subject.ParseWebhook(entry.Key())
		if first, ok := of[d.ID]; ok && first != id {
			t.Fatalf("%s is of both %s and %s", d.ID, first, id)
		}
		of[d.ID] = id
		if d.State == delivered {
			all.attempts[d.ID] = len(d.Attempts)
		}
		if len(all.attempts) == want {
			break
		}
	}
	for _, got := range before {
		all.requests[got.id()]++
	}
	for range len(r.requests) {
		all.requests[r.next(t).id()]++
	}
	if len(all.requests) != want || len(all.attempts) != want {
		t.Errorf("%d were told, %d are delivered, want %d", len(all.requests), len(all.attempts), want)
	}
	repeated := 0
	for id, n := range all.requests {
		if all.attempts[id] < n {
			t.Errorf("%s: %d requests, but only %d attempts are stored", id, n, all.attempts[id])
		}
		repeated += n - 1
	}
	t.Logf("%d told, %d of them again", want, repeated)
}

// TestNothingIsLostInTheMiddle has something happen in the middle of many deliveries.
func TestNothingIsLostInTheMiddle(t *testing.T) {
	for _, c := range []struct {
		name   string
		all    int
		happen func(*testing.T, *natstest.Server, *bridge) *bridge // the one that goes on
	}{
		{"the bridge is killed and another starts", 1000, func(t *testing.T, server *natstest.Server, b *bridge) *bridge {
			b.kill()
			return run(t, server, b.cfg)
		}},
		{"one of two bridges is killed", 200, func(t *testing.T, server *natstest.Server, b *bridge) *bridge {
			other := run(t, server, b.cfg)
			b.kill()
			return other
		}},
		{"the bridge is stopped and another starts", 200, func(t *testing.T, server *natstest.Server, b *bridge) *bridge {
			b.stop()
			return run(t, server, b.cfg)
		}},
		{"the broker is restarted", 200, func(_ *testing.T, server *natstest.Server, b *bridge) *bridge {
			server.Restart()
			return b
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := natstest.Run(t)
			b := run(t, server, hasty())
			r := receive(t, nil)
			b.endpoint("crm", r.URL, "")
			if _, err := b.pause(t.Context(), "crm"); err != nil {
				t.Fatal(err)
			}
			var registered sync.WaitGroup
			for range 4 {
				registered.Go(func() {
					for range c.all / 4 {
						b.due("crm")
					}
				})
			}
			registered.Wait()
			if _, err := b.resume(t.Context(), "crm"); err != nil {
				t.Fatal(err)
			}
			var before []received
			for range c.all / 3 {
				before = append(before, r.next(t))
			}
			b = c.happen(t, server, b)
			awaitAll(t, b, r, before, c.all)
		})
	}
}

func TestResultsThatComeWhileNoBridgeIsThereAreTold(t *testing.T) {
	const all = 100
	server := natstest.Run(t)
	b := run(t, server, hasty())
	r := receive(t, nil)
	b.endpoint("crm", r.URL, "")
	var ids []correlation.ID
	for range all {
		id, _ := newID(t)
		b.register("crm", id)
		ids = append(ids, id)
	}
	b.kill()
	results := opened(t, server)
	for _, id := range ids {
		if ok, err := results.Commit(t.Context(), id, &scorev1.Answer{CorrelationId: id.String(), Status: scorev1.Status_READY}); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	awaitAll(t, run(t, server, b.cfg), r, nil, all)
}
