// Package demo is a backend to try scoreflow with: a small HTTP service that pretends to consult a few external applications and makes of
// what they say a score. The same customer and product always get the same score, for the same reasons, from the same sources, and about as
// fast; a few per cent of the customers are unknown, too little known, or have locked their file.
//
//	POST /credit   answers the report when it is there: after 1.5 to 3.5 s
//	POST /report   answers 202 and notifies the caller's callback.url: after 4 to 8 s
//	GET  /calls    how often each correlation ID was called: {"<correlation ID>": 2}
//
// A call that is repeated with the same correlation ID is the same calculation: it ends when the first would have, with the same report.
//
// The attribute "demo" of a call tells the backend how to behave. Several words are joined by commas:
//
//	slow        takes ten times as long
//	slow=30s    takes so long, whatever the pace
//	fail        answers 503, every time
//	fail=2      answers 503 to the first two calls of a correlation ID
//	decline     answers 422 with a failure
//	no-hit      no source knows the customer
//	late        answers, or notifies, a second after the deadline
//	never       never answers, or never notifies
//	garbage     answers, or notifies, bytes that are no report
//	twice       notifies twice, the same both times
//	conflict    notifies twice, another score the second time
package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
)

const (
	maxPace    = 1000
	remembered = 200_000         // correlation IDs
	drainTime  = 2 * time.Second // for answers under way when Run ends
)

// Config is how the demo backend runs.
type Config struct {
	Listen string  // host and port; port 0 = a free one
	Pace   float64 // the time everything takes, as a factor up to 1000; 0 = none
}

// DefaultConfig is that of `scoreflow dev`: on loopback, at the usual pace.
func DefaultConfig() Config { return Config{Listen: "127.0.0.1:8090", Pace: 1} }

// Validate names the setting that cannot be.
func (c Config) Validate() error {
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return fmt.Errorf("listen: %q is not a host and port", c.Listen)
	}
	if !(c.Pace >= 0 && c.Pace <= maxPace) {
		return fmt.Errorf("pace: %v is not a factor from 0 to %d", c.Pace, maxPace)
	}
	return nil
}

// Service is the demo backend.
type Service struct {
	pace     float64
	log      *zap.Logger
	listener net.Listener
	client   *http.Client // for notifications
	memory   *memory
	jobs     sync.WaitGroup // the calculations that end in a notification
}

// New listens; calls are answered once Run runs.
func New(cfg Config, log *zap.Logger) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return &Service{pace: cfg.Pace, log: log, listener: listener, client: newClient(), memory: newMemory(remembered)}, nil
}

// Addr is where the service listens, as host and port.
func (s *Service) Addr() string { return s.listener.Addr().String() }

// Calls is how often each correlation ID was called, of the last 200,000.
func (s *Service) Calls() map[string]int { return s.memory.counts() }

// Run serves until ctx ends. Calculations under way end with it: who called is answered 503, who would be notified is not.
func (s *Service) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer s.client.CloseIdleConnections()
	defer s.jobs.Wait()
	defer stop()
	server := &http.Server{
		Handler:           s.routes(ctx),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          zap.NewStdLog(s.log),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve the demo backend: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
	defer cancel()
	if err := server.Shutdown(drain); errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	} else if err != nil {
		return fmt.Errorf("stop the demo backend: %w", err)
	}
	return nil
}
