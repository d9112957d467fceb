package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/retry"
)

// Consume has handle called for the messages of a consumer, at most limit at once, until ctx ends; then it waits for the calls under way.
// No more messages are asked for than can be handled at once, so none waits here while its time for acknowledgement runs.
func Consume(ctx context.Context, consumer jetstream.Consumer, limit int, handle func(jetstream.Msg), log *zap.Logger) {
	free := make(chan struct{}, limit)
	for range limit {
		free <- struct{}{}
	}
	var under sync.WaitGroup
	defer under.Wait()
	for failed := 0; ; {
		n := take(ctx, free)
		if n == 0 {
			return
		}
		got, err := fetch(ctx, consumer, n, func(msg jetstream.Msg) {
			under.Go(func() {
				defer func() { free <- struct{}{} }()
				handle(msg)
			})
		})
		for range n - got {
			free <- struct{}{}
		}
		if err == nil || ctx.Err() != nil {
			failed = 0
			continue
		}
		if failed++; failed == 3 { // one is an election, or a reconnect
			log.Warn("no messages can be had", zap.String("consumer", consumer.CachedInfo().Name), zap.Error(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry.Broker.Delay(failed)):
		}
	}
}

// take waits for a free place and takes all that are free; 0 when ctx ends.
func take(ctx context.Context, free chan struct{}) int {
	select {
	case <-free:
	case <-ctx.Done():
		return 0
	}
	for n := 1; ; n++ {
		select {
		case <-free:
		default:
			return n
		}
	}
}

// fetch hands over up to n messages as they come.
func fetch(ctx context.Context, consumer jetstream.Consumer, n int, handle func(jetstream.Msg)) (got int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	batch, err := consumer.Fetch(n, jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(2*time.Second))
	if err != nil {
		return 0, err
	}
	for msg := range batch.Messages() {
		handle(msg)
		got++
	}
	if err = batch.Error(); errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		err = nil
	}
	return got, err
}
