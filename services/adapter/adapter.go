// Package adapter holds the conversation with backends: it hands them calculations, at most so many at once, retries what may be retried, and
// takes in what they report later. It knows no client. Any number of adapters share the work; any of them may die at any time.
package adapter

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

// Config is the configuration of an adapter.
type Config struct {
	Products    product.Catalog
	Replicas    int           // of the stores; default 1
	Secret      []byte        // makes the tokens that backends notify with; the same in all adapters of a suite; at least 32 bytes
	Listen      string        // address for notifications by HTTP; empty = none
	CallbackURL string        // where backends reach that address; default http://<the address it listens on>
	AckWait     time.Duration // how long after the last sign of life of an adapter another takes over its work; default 30 s
	Version     string        // of this build, a semantic version; default 0.0.0

	// Backends are those of products whose backend is a part of the program that embeds the adapter: they are called instead of the URL.
	Backends map[string]Backend
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	c.Products = c.Products.WithDefaults()
	if c.AckWait == 0 {
		c.AckWait = 30 * time.Second
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
	case c.AckWait < time.Second:
		return fmt.Errorf("ack_wait: %v is less than a second", c.AckWait)
	}
	return c.Products.Validate()
}

// Service is an adapter.
type Service struct {
	cfg       Config
	log       *zap.Logger
	store     *store.Store
	tokens    tokens
	claims    claims
	lines     []line
	endpoints *bus.Service
	listener  net.Listener // nil without Listen
	http      *http.Server
	stop      context.CancelFunc // ends what goes on between New and the end of Run
}

// line is a product, its backend and its work.
type line struct {
	product  product.Product
	backend  Backend
	consumer jetstream.Consumer
}

const (
	notifications = 1024            // taken in at once
	grace         = 5 * time.Second // that calls under way get to finish when the adapter is stopped
)

// New begins to take in notifications; the work begins with Run.
func New(ctx context.Context, cfg Config, nc *nats.Conn, log *zap.Logger) (*Service, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, log: log, tokens: tokens{cfg.Secret}, claims: claims{seen: map[correlation.ID]sighting{}}}
	var err error
	if s.store, err = store.Open(ctx, nc, store.Config{Replicas: cfg.Replicas}); err != nil {
		return nil, err
	}
	for _, name := range cfg.Products.Names() {
		l := line{product: cfg.Products[name], backend: cfg.Backends[name]}
		if l.backend == nil {
			if l.backend, err = newBackend(l.product.Backend, newClient(l.product.Backend.Concurrency)); err != nil {
				return nil, fmt.Errorf("products.%s.backend: %w", name, err)
			}
		}
		l.consumer, err = s.store.Consumer(ctx, subject.Calculations, subject.AdapterConsumer(name), subject.CalculationsOfProduct(name), cfg.AckWait)
		if err != nil {
			return nil, err
		}
		s.lines = append(s.lines, l)
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if err := s.begin(life, nc); err != nil {
		stop()
		return nil, err
	}
	return s, nil
}

func (s *Service) begin(life context.Context, nc *nats.Conn) error {
	if err := s.listen(); err != nil {
		return err
	}
	var err error
	s.endpoints, err = bus.NewService(life, nc, "score-adapter", s.cfg.Version, "takes in what backends report", s.log)
	if err != nil {
		return err
	}
	return s.endpoints.Serve(bus.Endpoint{Name: "notify", Subject: subject.Notify, Limit: notifications, Handle: s.notify})
}

// Addr is the address that it listens on for notifications; empty when it does not.
func (s *Service) Addr() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// Run works until ctx ends. Then it takes no more work and gives the calls under way a little time; what does not end by then is left to
// another adapter.
func (s *Service) Run(ctx context.Context) error {
	defer s.stop()
	s.log.Info("working", zap.Strings("products", s.cfg.Products.Names()), zap.String("listen", s.Addr()))
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	var all sync.WaitGroup
	for _, l := range s.lines {
		all.Go(func() {
			bus.Consume(ctx, l.consumer, l.product.Backend.Concurrency, func(m jetstream.Msg) { s.work(work, l, m) }, s.log)
		})
	}
	if s.listener != nil {
		all.Go(s.serveHTTP)
	}
	<-ctx.Done()
	err := s.endpoints.Stop()
	s.closeHTTP(work)
	all.Wait()
	s.log.Info("drained")
	return err
}
