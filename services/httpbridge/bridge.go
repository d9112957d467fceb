// Package httpbridge gives applications that speak HTTP all that scoreflow offers over NATS: asking, fetching, being told, and notifying. It
// is a client of NATS like any other, through pkg/client, and holds no state: what it keeps in memory are copies, and any number of bridges
// serve side by side.
package httpbridge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/retry"
	"github.com/scoreflow/scoreflow/services/httpbridge/webhook"
)

// Config is the configuration of a bridge.
type Config struct {
	Listen         string          // host:port for clients; default 127.0.0.1:8080
	AdminListen    string          // host:port for operators: health and metrics; default 127.0.0.1:8081
	PublicURL      string          // where clients reach it, if not where they say they do; default none
	DefaultWait    time.Duration   // how long an ask that does not say it waits; default 10 s
	MaxWait        time.Duration   // the longest wait; default 60 s
	ReadTimeout    time.Duration   // how long a client may take to send a request; default 15 s
	Heartbeat      time.Duration   // between signs of life in a stream of events; default 15 s
	MaxConnections int             // at once; those beyond are told so; default 20,000
	CustomerURLs   bool            // serve scores at URLs with customer IDs in them, which end up in the logs of others
	Webhooks       *webhook.Config // of those that `notify` in an ask names; nil = there are none
	Version        string          // of this build; default 0.0.0
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	for _, d := range []struct {
		value *string
		is    string
	}{{&c.Listen, "127.0.0.1:8080"}, {&c.AdminListen, "127.0.0.1:8081"}, {&c.Version, "0.0.0"}} {
		if *d.value == "" {
			*d.value = d.is
		}
	}
	for _, d := range []struct {
		value *time.Duration
		is    time.Duration
	}{{&c.DefaultWait, 10 * time.Second}, {&c.MaxWait, time.Minute}, {&c.ReadTimeout, 15 * time.Second}, {&c.Heartbeat, 15 * time.Second}} {
		if *d.value == 0 {
			*d.value = d.is
		}
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = 20_000
	}
	return c
}

// Validate names the first setting that cannot be.
func (c Config) Validate() error {
	switch {
	case c.DefaultWait < 0:
		return fmt.Errorf("default_wait: %v is negative", c.DefaultWait)
	case c.MaxWait < 0:
		return fmt.Errorf("max_wait: %v is negative", c.MaxWait)
	case c.ReadTimeout < 0:
		return fmt.Errorf("read_timeout: %v is negative", c.ReadTimeout)
	case c.Heartbeat < 0:
		return fmt.Errorf("heartbeat: %v is negative", c.Heartbeat)
	case c.MaxConnections < 0:
		return fmt.Errorf("max_connections: %d is negative", c.MaxConnections)
	}
	_, err := publicURL(c.PublicURL)
	return err
}

func publicURL(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil
	}
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("public_url: %q is not a URL like https://scores.example.com", s)
	}
	return u, nil
}

// Service is a bridge.
type Service struct {
	cfg     Config
	log     *zap.Logger
	nc      *nats.Conn
	client  *client.Client
	results *client.Results
	recent  *recent
	link    *link
	metrics *metrics
	public  *url.URL // nil = as the request says

	listener, adminListener net.Listener
	server, admin           *http.Server
	webhooks                *webhook.Service // nil = there are none
	replays                 chan struct{}    // has room for those who read from the stream at once
	looks                   chan struct{}    // has room for those who ask for a calculation at once

	draining chan struct{}
	drain    sync.Once
	stop     context.CancelFunc // ends what goes on between New and the end of Run
	ended    sync.WaitGroup
}

// maxReplays is how many streams of events are resumed from the stream of results at once; those beyond wait for that.
const maxReplays = 8

// maxLooks is how many ask a gateway for a calculation at once; those beyond wait for their turn, for so long.
const (
	maxLooks   = 1024
	turnWithin = 10 * time.Second
)

// patience is how long those who are connected get to take their last answer when the bridge is stopped.
const patience = 10 * time.Second

// New listens, and has the results of all calculations followed; it serves when it runs.
func New(ctx context.Context, cfg Config, nc *nats.Conn, log *zap.Logger) (_ *Service, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{
		cfg: cfg, log: log, nc: nc, client: client.New(nc), metrics: newMetrics(cfg.Version),
		replays: make(chan struct{}, maxReplays), looks: make(chan struct{}, maxLooks), draining: make(chan struct{}),
	}
	if s.public, err = publicURL(cfg.PublicURL); err != nil {
		return nil, err
	}
	last, err := s.openResults(ctx)
	if err != nil {
		return nil, err
	}
	s.recent = newRecent(last)
	if err := s.openWebhooks(ctx, nc); err != nil {
		return nil, err
	}
	if err := s.listenAll(); err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.link = newLink(life, nc)
	s.ended.Go(func() { s.follow(life) })
	return s, nil
}

// openResults opens the stream of results, which the correlator may still have to create; last is the place of the newest.
func (s *Service) openResults(ctx context.Context) (last uint64, err error) {
	err = retry.Do(ctx, retry.Broker, func() error {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if s.results, err = s.client.Results(try); err != nil {
			return err
		}
		span, err := s.results.Span(try)
		last = span.Last
		return err
	})
	return last, err
}

// follow feeds what is recent, until ctx ends.
func (s *Service) follow(ctx context.Context) {
	_ = retry.Do(ctx, retry.Broker, func() error {
		err := s.results.Follow(ctx, s.recent.newest(), func(r client.Result) bool {
			s.recent.add(r)
			return true
		})
		if err != nil && ctx.Err() == nil {
			s.log.Warn("the results cannot be followed now", zap.Error(err))
		}
		return err
	})
}

// Addr is the address for clients.
func (s *Service) Addr() string { return s.listener.Addr().String() }

// AdminAddr is the address for operators.
func (s *Service) AdminAddr() string { return s.adminListener.Addr().String() }

// Run serves until ctx ends. Then it takes no more connections, and everyone who waits is answered with what there is.
func (s *Service) Run(ctx context.Context) error {
	defer s.ended.Wait()
	defer s.stop()
	telling, quiet := context.WithCancel(ctx)
	defer quiet()
	s.ended.Go(func() { s.tell(telling) })
	s.log.Info("serving", zap.String("listen", s.Addr()), zap.String("admin_listen", s.AdminAddr()))
	served := make(chan error, 2)
	go func() { served <- s.server.Serve(s.listener) }()
	go func() { served <- s.admin.Serve(s.adminListener) }()
	var failed error
	running := 2
	select {
	case <-ctx.Done():
	case failed = <-served:
		running--
	}
	s.drain.Do(func() { close(s.draining) })
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := s.server.Shutdown(late); err != nil {
		s.log.Warn("some connections were cut off", zap.Error(err))
	}
	err := errors.Join(s.server.Close(), s.admin.Close())
	for range running {
		<-served
	}
	s.log.Info("drained")
	return errors.Join(failed, err)
}

func (s *Service) isDraining() bool {
	select {
	case <-s.draining:
		return true
	default:
		return false
	}
}
