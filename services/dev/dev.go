// Package dev is the whole suite in one process, on a NATS server of its own: what `make run` starts, and what end-to-end tests test.
package dev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/pkg/natsd"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/services/adapter"
	"github.com/scoreflow/scoreflow/services/correlator"
	"github.com/scoreflow/scoreflow/services/demo"
	"github.com/scoreflow/scoreflow/services/gateway"
	"github.com/scoreflow/scoreflow/services/httpbridge"
	"github.com/scoreflow/scoreflow/services/httpbridge/webhook"
)

const (
	replicas = 1               // there is one server
	ackWait  = 5 * time.Second // nobody works beside this process, so what it left when it was killed need not wait for long
)

// Config is what a suite is made of. It listens on loopback only; a port 0 is any free one.
type Config struct {
	Store         string          // the directory of all its data; one suite at a time
	NATSPort      int             // of 127.0.0.1
	SyncAlways    bool            // fsync every message, against power loss; default every 2 minutes
	AdapterListen string          // host:port where backends may notify by HTTP
	HTTPListen    string          // host:port of the HTTP bridge; "" = there is none
	HTTPAdmin     string          // host:port of its health and metrics
	DemoListen    string          // host:port of the demo backend
	DemoPace      float64         // the time that the demo backend takes, as a factor: 1 = seconds, 0 = none
	Products      product.Catalog // default: credit and report, both of the demo backend
}

// Suite is a running suite.
type Suite struct {
	cfg     Config
	log     *zap.Logger
	server  *natsd.Server
	demo    *demo.Service
	adapter *adapter.Service
	bridge  *httpbridge.Service // nil = there is none
	parts   []*part             // as they were started
}

// New starts everything; what it returns is ready for requests.
//
//	clients --> NATS server <--- gateway       answers, starts calculations, waits
//	 (URL)     (store, lock) <-- adapter       calls the backend  <---+  notifies
//	               ^  ^                           |                   |
//	clients --> http-bridge                       +--> demo backend --+
//	 (HTTP)           |
//	                  +--------- correlator    settles what the backend reported
//
// Each service has its own connection, over TCP as everywhere else. They start from right to left and end in the opposite order: first
// those who bring work, last those who are needed to finish it.
func New(ctx context.Context, cfg Config, log *zap.Logger) (_ *Suite, err error) {
	server, err := natsd.Start(natsd.Config{StoreDir: cfg.Store, Port: cfg.NATSPort, SyncAlways: cfg.SyncAlways}, log)
	if err != nil {
		return nil, err
	}
	s := &Suite{cfg: cfg, log: log, server: server}
	defer func() {
		if err != nil {
			s.start(ctx) // a part gives back what it holds when it has run
			err = errors.Join(err, s.end())
		}
	}()
	secret, err := keepSecret(cfg.Store)
	if err != nil {
		return nil, err
	}
	s.demo, err = demo.New(demo.Config{Listen: cfg.DemoListen, Pace: cfg.DemoPace}, log.Named("demo"))
	if err != nil {
		return nil, explain(err, cfg.DemoListen, "--demo-listen")
	}
	s.parts = append(s.parts, &part{name: "demo", service: s.demo})
	products := cfg.Products
	if products == nil {
		products = demoProducts(s.demo.Addr())
	}

	_, err = add(ctx, s, "correlator", correlator.Config{Products: products, Replicas: replicas, AckWait: ackWait}, correlator.New)
	if err != nil {
		return nil, err
	}
	s.adapter, err = add(ctx, s, "adapter", adapter.Config{
		Products: products, Replicas: replicas, Secret: secret, Listen: cfg.AdapterListen, AckWait: ackWait, Version: daemon.Version(),
	}, adapter.New)
	if err != nil {
		return nil, explain(err, cfg.AdapterListen, "--adapter-listen")
	}
	_, err = add(ctx, s, "gateway", gateway.Config{
		Products: products, Replicas: replicas, Secret: secret, Version: daemon.Version(),
	}, gateway.New)
	if err != nil {
		return nil, err
	}
	if cfg.HTTPListen == "" {
		return s, nil
	}
	s.bridge, err = add(ctx, s, "http-bridge", httpbridge.Config{
		Listen: cfg.HTTPListen, AdminListen: cfg.HTTPAdmin, Version: daemon.Version(),
		Webhooks: &webhook.Config{Replicas: replicas, AllowHTTP: true, AllowPrivate: true}, // whoever tries them out listens here
	}, httpbridge.New)
	if err != nil {
		return nil, explain(explain(err, cfg.HTTPListen, "--http-listen"), cfg.HTTPAdmin, "--http-admin")
	}
	return s, nil
}

// URL is where clients connect to NATS.
func (s *Suite) URL() string { return s.server.ClientURL() }

// HTTPAddr is where clients reach the HTTP bridge; empty when there is none.
func (s *Suite) HTTPAddr() string {
	if s.bridge == nil {
		return ""
	}
	return s.bridge.Addr()
}

// Run returns when ctx has ended and everything is drained, or when a part has failed, with its error.
func (s *Suite) Run(ctx context.Context) error {
	ended := s.start(ctx)
	select {
	case <-ctx.Done():
		s.log.Info("draining")
	case <-ended:
	}
	return s.end()
}

// start lets all parts run; when one ends, the channel tells. Only end makes them end, one after the other.
func (s *Suite) start(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{}, len(s.parts))
	for _, p := range s.parts {
		p.start(context.WithoutCancel(ctx), ended)
	}
	return ended
}

func (s *Suite) end() error {
	var err error
	for _, p := range slices.Backward(s.parts) {
		err = errors.Join(err, p.end())
	}
	s.server.Shutdown()
	return err
}

// add makes a service on a connection of its own.
func add[C daemon.Config, S daemon.Service](
	ctx context.Context, s *Suite, name string, cfg C,
	newService func(context.Context, C, *nats.Conn, *zap.Logger) (S, error),
) (service S, err error) {
	log := s.log.Named(name)
	nc, err := bus.Connect(ctx, bus.Config{URL: s.URL(), Name: "scoreflow-" + name}, log)
	if err != nil {
		return service, err
	}
	if service, err = newService(ctx, cfg, nc, log); err != nil {
		nc.Close()
		return service, fmt.Errorf("%s: %w", name, err)
	}
	s.parts = append(s.parts, &part{name: name, service: service, conn: nc})
	return service, nil
}

// explain says what can be done when another process has the port.
func explain(err error, listen, flag string) error {
	op, ok := errors.AsType[*net.OpError](err)
	if ok && op.Addr.String() == listen && errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use: is another `make run` running? choose another with %s", listen, flag)
	}
	return err
}
