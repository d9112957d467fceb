// Package gateway holds the conversation with clients: it answers from the cache what is known and valid, starts or joins a calculation for
// what is not, and lets those wait who want to. It calls no backend and writes no score. Any number of gateways serve the same subjects;
// nothing that one of them keeps in memory is needed for correctness.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

// Config is the configuration of a gateway.
type Config struct {
	Products   product.Catalog
	Secret     []byte        // makes pseudonyms of customer IDs; the same in all gateways of a suite; at least 32 bytes
	Tenant     string        // whose customers they are; default "default"
	Replicas   int           // of the stores; default 1
	CacheBytes int64         // memory for cached scores, about; default 64 MiB
	MaxWait    time.Duration // the longest wait of a request; default 110 s, below the 2 minutes after which NATS may drop a reply
	MaxWaiting int           // requests waiting at once; those beyond are answered PENDING at once; default 200,000
	Version    string        // of this build, a semantic version; default 0.0.0
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	c.Products = c.Products.WithDefaults()
	if c.Tenant == "" {
		c.Tenant = "default"
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 64 << 20
	}
	if c.MaxWait == 0 {
		c.MaxWait = 110 * time.Second
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 200_000
	}
	if c.Version == "" {
		c.Version = "0.0.0"
	}
	return c
}

// Validate names the first setting that cannot be.
func (c Config) Validate() error {
	switch {
	case len(c.Secret) < correlation.MinSecret:
		return fmt.Errorf("secret: it has %d bytes, needs at least %d", len(c.Secret), correlation.MinSecret)
	case c.CacheBytes < 0:
		return fmt.Errorf("cache_bytes: %d is negative", c.CacheBytes)
	case c.MaxWait < 0:
		return fmt.Errorf("max_wait: %v is negative", c.MaxWait)
	case c.MaxWaiting < 0:
		return fmt.Errorf("max_waiting: %d is negative", c.MaxWaiting)
	}
	return c.Products.Validate()
}

// Service is a gateway.
type Service struct {
	cfg       Config
	log       *zap.Logger
	store     *store.Store
	names     *correlation.Pseudonymizer
	cache     *cache
	waiting   *waiting
	durations *durations
	endpoints *bus.Service
	stop      context.CancelFunc // ends what goes on between New and the end of Run
}

// handlers is how many requests that the cache could not answer are under way at once; waiting is none of it.
const handlers = 4096

// patience is how long a request goes on trying to reach a store before it is told UNAVAILABLE; longer than an election of a stream's leader.
const patience = 12 * time.Second

// New begins to serve.
func New(ctx context.Context, cfg Config, nc *nats.Conn, log *zap.Logger) (*Service, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, log: log, waiting: newWaiting(cfg.MaxWaiting), durations: newDurations(cfg.Products)}
	var err error
	if s.names, err = correlation.NewPseudonymizer(cfg.Secret); err != nil {
		return nil, err
	}
	if s.store, err = store.Open(ctx, nc, store.Config{Replicas: cfg.Replicas}); err != nil {
		return nil, err
	}
	if s.cache, err = newCache(cfg.CacheBytes); err != nil {
		return nil, err
	}
	// What goes on from here outlives ctx until Run has drained.
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	begun := context.AfterFunc(ctx, stop) // before that it does not
	if err := s.begin(ctx, life, nc); err != nil {
		stop()
		return nil, err
	}
	begun()
	return s, nil
}

func (s *Service) begin(ctx, life context.Context, nc *nats.Conn) error {
	if err := errors.Join(
		s.store.WatchRecords(life, s.cache.changed, s.cache.reset),
		s.store.WatchResults(life, s.settled),
	); err != nil {
		return err
	}
	var err error
	s.endpoints, err = bus.NewService(life, nc, "score-gateway", s.cfg.Version, "answers requests for scores", s.log)
	if err != nil {
		return err
	}
	return s.endpoints.Serve(
		bus.Endpoint{Name: "request", Subject: subject.Request, Limit: handlers, Quick: s.quick, Handle: s.request},
		bus.Endpoint{Name: "fetch", Subject: subject.Fetch, Limit: handlers, Handle: s.fetch},
		bus.Endpoint{Name: "abort", Subject: subject.Abort, Limit: handlers, Handle: s.abort},
	)
}

// Run serves until ctx ends. Then it takes no more requests, finishes those under way, and answers those that wait with PENDING.
func (s *Service) Run(ctx context.Context) error {
	defer s.stop()
	s.log.Info("serving", zap.Strings("products", s.cfg.Products.Names()))
	<-ctx.Done()
	err := s.endpoints.Stop()
	for _, w := range s.waiting.drain() {
		s.pending(w)
	}
	s.log.Info("drained")
	return err
}
