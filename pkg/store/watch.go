package store

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// watch calls see for every message that a stream stores from now on. The consumer knows at which sequence it began and which it saw last, so
// it goes on there after whatever befell the connection or the stream's leader; missed is called when that may have taken a while.
func (s *Store) watch(ctx context.Context, stream string, see func(jetstream.Msg), missed func()) error {
	var watching jetstream.ConsumeContext
	err := start(ctx, func(ctx context.Context) error {
		st, err := s.js.Stream(ctx, stream)
		if err != nil {
			return lasting(err)
		}
		consumer, err := st.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: st.CachedInfo().State.LastSeq + 1, MaxResetAttempts: -1,
		})
		if err != nil {
			return lasting(err)
		}
		watching, err = consumer.Consume(see, jetstream.PullHeartbeat(time.Second),
			jetstream.ConsumeErrHandler(func(jetstream.ConsumeContext, error) { missed() }))
		return lasting(err)
	})
	if err != nil {
		return fmt.Errorf("watch %s: %w", stream, err)
	}
	context.AfterFunc(ctx, watching.Stop)
	return nil
}
