// Package correlator owns the state between a calculation's start and its end: it settles completions into scores and results, releases
// calculations, and ends those whose deadline has passed. It talks to no client and no backend. Any number of correlators share the
// work; any of them may die at any time.
package correlator

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

// Config is the configuration of a correlator.
type Config struct {
	Products   product.Catalog
	Replicas   int           // of the stores; default 1
	SweepEvery time.Duration // how often it looks for overdue calculations; default 30 s
	Park       time.Duration // how long a report of an unknown calculation is kept to be matched; default 5 m
	AckWait    time.Duration // how long after a correlator took up a completion another takes over; default 30 s
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	c.Products = c.Products.WithDefaults()
	if c.SweepEvery == 0 {
		c.SweepEvery = 30 * time.Second
	}
	if c.Park == 0 {
		c.Park = 5 * time.Minute
	}
	if c.AckWait == 0 {
		c.AckWait = 30 * time.Second
	}
	return c
}

// Validate names the first setting that cannot be.
func (c Config) Validate() error {
	switch {
	case c.SweepEvery < 0:
		return fmt.Errorf("sweep_every: %v is negative", c.SweepEvery)
	case c.Park < 0:
		return fmt.Errorf("park: %v is negative", c.Park)
	case c.AckWait < time.Second:
		return fmt.Errorf("ack_wait: %v is less than a second", c.AckWait)
	}
	return c.Products.Validate()
}

// Service is a correlator.
type Service struct {
	cfg         Config
	log         *zap.Logger
	store       *store.Store
	completions jetstream.Consumer
	timeouts    jetstream.Consumer
}

const settlers = 256 // completions settled at once

// New begins to watch; the work begins with Run.
func New(ctx context.Context, cfg Config, nc *nats.Conn, log *zap.Logger) (*Service, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, log: log}
	var err error
	if s.store, err = store.Open(ctx, nc, store.Config{Replicas: cfg.Replicas}); err != nil {
		return nil, err
	}
	if s.completions, err = s.store.Consumer(ctx, subject.Completions, subject.SettlerConsumer, subject.AllCompletions, cfg.AckWait); err != nil {
		return nil, err
	}
	if s.timeouts, err = s.store.Consumer(ctx, subject.Timers, subject.TimeoutsConsumer, subject.AllTimeouts, cfg.AckWait); err != nil {
		return nil, err
	}
	return s, nil
}

// Run works until ctx ends; then it finishes what is under way.
func (s *Service) Run(ctx context.Context) error {
	s.log.Info("settling", zap.Strings("products", s.cfg.Products.Names()))
	work := context.WithoutCancel(ctx) // what is under way is finished
	var all sync.WaitGroup
	all.Go(func() {
		bus.ConsumeAhead(ctx, s.completions, settlers, func(m jetstream.Msg) { s.settle(work, m) }, s.log)
	})
	all.Go(func() {
		bus.Consume(ctx, s.timeouts, settlers, func(m jetstream.Msg) { s.timeout(work, m) }, s.log)
	})
	all.Go(func() { s.sweep(ctx) })
	all.Wait()
	s.log.Info("drained")
	return nil
}

// patience is how long a delivery is worked on, so that it is left before another correlator takes it over.
func (s *Service) patience() time.Duration { return s.cfg.AckWait * 5 / 6 }
