// Package store is where everything durable is: the streams and the bucket, how they are set up, and the few reads and writes that the
// protocol is made of.
//
//	CALCULATIONS  per key at most two messages, the calculation that runs and the one that waits: lock and work item in one. A third is
//	              refused, and so is a first that is not the first.
//	COMPLETIONS   a work queue of what was reported; at most one for each correlation ID.
//	scores        the bucket of records: score, validity, memo of the last failure.
//	RESULTS       one document for each correlation ID, for a day. Published as commit, stored and announced as result.
//	TIMERS        deadlines of calculations that were handed over, and claims of calls that must not be repeated.
//	DEAD          what could not be brought to its intended end, for a month.
//
// and, for package webhook alone, which says how they are used,
//
//	webhooks            the bucket of endpoints.
//	webhook-deliveries  the bucket of deliveries, for a month after they ended.
//	WEBHOOKS            a work queue of hints that a delivery is to be looked at.
//
// A write that is acknowledged survives the kill of any process. Reads come from any replica, and may be a little old, unless a method says
// that it asks the leader.
package store

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config is how the stores are kept.
type Config struct {
	Replicas int // of every stream and the bucket; default 1
}

// Store gives access to the stores. Safe for concurrent use.
type Store struct {
	nc       *nats.Conn
	js       jetstream.JetStream
	replicas int
}

// Open creates what is missing and checks what is there. What is set up so that the protocol would not hold is an error; nothing that
// exists is ever altered.
func Open(ctx context.Context, nc *nats.Conn, cfg Config) (*Store, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open the stores: %w", err)
	}
	s := &Store{nc: nc, js: js, replicas: max(cfg.Replicas, 1)}
	if err := s.ensure(ctx); err != nil {
		return nil, fmt.Errorf("open the stores: %w", err)
	}
	return s, nil
}
