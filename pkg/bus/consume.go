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
	w := hire(limit, func(msg jetstream.Msg) {
		handle(msg)
		free <- struct{}{}
	})
	defer w.dismiss()
	for failed := 0; ; {
		n := take(ctx, free)
		if n == 0 {
			return
		}
		got, err := fetch(ctx, consumer, n, w.give)
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

// ConsumeAhead is Consume for handlers that are done in no time: as many messages again as can be handled at once are asked for ahead, so
// that nobody waits for the next. Those are handled too when ctx ends.
func ConsumeAhead(ctx context.Context, consumer jetstream.Consumer, limit int, handle func(jetstream.Msg), log *zap.Logger) {
	w := hire(limit, handle)
	defer w.dismiss()
	name := zap.String("consumer", consumer.CachedInfo().Name)
	for failed := 1; ; failed++ {
		consuming, err := consumer.Consume(w.give, jetstream.PullMaxMessages(limit), jetstream.PullHeartbeat(time.Second),
			jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) { log.Debug("messages may be late", name, zap.Error(err)) }))
		if err == nil {
			ended := consuming.Closed()
			select {
			case <-ended: // the consumer is gone
			case <-ctx.Done():
				consuming.Drain()
				select {
				case <-ended:
				case <-time.After(attempt): // NATS is away
				}
				return
			}
		}
		log.Warn("no messages can be had", name, zap.Error(err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(retry.Broker.Delay(failed)):
		}
	}
}

// workers handle messages. They stay, because a goroutine's stack that has grown once need not grow again.
type workers struct {
	work chan jetstream.Msg
	home chan struct{} // closed when there is no more work
	busy sync.WaitGroup
}

func hire(n int, handle func(jetstream.Msg)) *workers {
	w := &workers{work: make(chan jetstream.Msg), home: make(chan struct{})}
	for range n {
		w.busy.Go(func() {
			for {
				select {
				case msg := <-w.work:
					handle(msg)
				case <-w.home:
					return
				}
			}
		})
	}
	return w
}

// give waits for an idle worker. When there is none any more the message is left for redelivery.
func (w *workers) give(msg jetstream.Msg) {
	select {
	case w.work <- msg:
	case <-w.home:
	}
}

// dismiss waits until what was given is handled.
func (w *workers) dismiss() {
	close(w.home)
	w.busy.Wait()
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
