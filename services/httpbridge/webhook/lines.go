package webhook

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/retry"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

const (
	renewEvery = time.Minute // the consumers of the lines are seen to
	unusedKept = time.Hour   // a consumer that nobody asks goes by itself; so deleting an endpoint leaves nothing over
	spare      = 8           // times the concurrency may be under way in all bridges: one that dies does not hold up the others
)

// lines works for each active endpoint, in a line of its own, until ctx ends; then it waits for what is under way. That an endpoint begins
// or ceases to be active is only a reason to begin or to cease: whoever delivers looks at the endpoint again.
func (s *Service) lines(ctx, sending context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	running := map[string]context.CancelFunc{}
	defer func() {
		for _, stop := range running {
			stop()
		}
	}()
	renew := time.NewTicker(renewEvery)
	defer renew.Stop()
	changes := s.watch(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
			for name := range running {
				if _, err := s.consumer(ctx, name); err != nil && ctx.Err() == nil {
					s.log.Warn("the consumer of an endpoint is not renewed", zap.String("endpoint", name), zap.Error(err))
				}
			}
		case change := <-changes:
			stop, runs := running[change.name]
			switch {
			case change.active && !runs:
				line, stop := context.WithCancel(ctx)
				running[change.name] = stop
				all.Go(func() { s.line(line, sending, change.name) })
			case !change.active && runs:
				stop()
				delete(running, change.name)
			}
		}
	}
}

// change says that an endpoint is, or is not, to be worked for.
type change struct {
	name   string
	active bool
}

// watch tells what endpoints there are, and whenever one changes.
func (s *Service) watch(ctx context.Context) <-chan change {
	changes := make(chan change)
	go func() {
		watcher, err := untilThere(ctx, func() (jetstream.KeyWatcher, error) { return s.endpoints.kv.WatchAll(ctx) })
		if err != nil {
			return
		}
		for {
			select {
			case <-ctx.Done():
				_ = watcher.Stop()
				return
			case entry, open := <-watcher.Updates():
				if !open {
					return // ctx has ended, or the connection is closed for good
				}
				if entry == nil {
					continue // those that are there have been told
				}
				e, err := readEndpoint(entry.Value())
				select {
				case changes <- change{entry.Key(), entry.Operation() == jetstream.KeyValuePut && err == nil && e.State == active}:
				case <-ctx.Done():
				}
			}
		}
	}()
	return changes
}

// line delivers to one endpoint until ctx ends.
func (s *Service) line(ctx, sending context.Context, name string) {
	consumer, err := untilThere(ctx, func() (jetstream.Consumer, error) { return s.consumer(ctx, name) })
	if err != nil {
		return
	}
	work := context.WithoutCancel(ctx) // what is under way is finished
	bus.Consume(ctx, consumer, s.cfg.Concurrency, func(m jetstream.Msg) { s.work(work, sending, name, m) }, s.log)
}

// consumer is the durable consumer of an endpoint, one for all bridges.
func (s *Service) consumer(ctx context.Context, name string) (jetstream.Consumer, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	c, err := s.js.CreateOrUpdateConsumer(ctx, subject.Webhooks, jetstream.ConsumerConfig{
		Durable: subject.WebhookConsumer(name), FilterSubject: subject.WebhooksDue(name),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: s.cfg.AckWait, MaxAckPending: spare * s.cfg.Concurrency, InactiveThreshold: unusedKept,
	})
	if err != nil {
		return nil, fmt.Errorf("consumer of endpoint %s: %w", name, err)
	}
	return c, nil
}

// untilThere repeats get until it succeeds or ctx ends.
func untilThere[T any](ctx context.Context, get func() (T, error)) (got T, err error) {
	err = retry.Do(ctx, retry.Broker, func() error {
		got, err = get()
		return err
	})
	return got, err
}
