package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/services/adapter"
	"github.com/scoreflow/scoreflow/services/correlator"
	"github.com/scoreflow/scoreflow/services/gateway"
)

// suite is the services in this process, on a NATS server of the test's own and with the test as the backend.
type suite struct {
	*witness
	t        *testing.T
	server   *natstest.Server
	gateways int
	log      *zap.Logger
	logged   *observer.ObservedLogs
}

// setup is what a suite is made of.
type setup struct {
	gateways, adapters, correlators int

	gateway    gateway.Config
	adapter    adapter.Config
	correlator correlator.Config
	products   product.Catalog
}

// newSuite runs a suite until the test ends; change may change what it is made of.
func newSuite(t *testing.T, change func(*setup)) *suite {
	t.Helper()
	b := newBackend(t)
	secret := []byte(rand.Text() + rand.Text())
	backend := product.Backend{Kind: product.HTTP, URL: b.server.URL, Concurrency: 256, Attempts: 1}
	once, calledBack := backend, backend
	once.Call, calledBack.Kind = product.AtMostOnce, product.HTTPCallback
	cfg := setup{
		gateways: 1, adapters: 1, correlators: 1,
		adapter:    adapter.Config{Listen: "127.0.0.1:0", Secret: secret},
		gateway:    gateway.Config{Secret: secret},
		correlator: correlator.Config{SweepEvery: time.Second, Park: time.Second},
		products: product.Catalog{
			credit: {Backend: backend}, fraud: {Backend: once}, report: {Backend: calledBack}, silent: {Backend: calledBack, Deadline: 2 * time.Second},
		},
	}
	if change != nil {
		change(&cfg)
	}
	cfg.gateway.Products, cfg.adapter.Products, cfg.correlator.Products = cfg.products, cfg.products, cfg.products

	core, logged := observer.New(zapcore.DebugLevel)
	server := natstest.RunTCP(t)
	s := &suite{
		t: t, server: server, gateways: cfg.gateways, log: zap.New(core), logged: logged,
		witness: newWitness(t, server.Conn(nats.ReconnectBufSize(-1)), b, secret),
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, e := range logged.All() {
				t.Log(e.Time.Format(time.StampMilli), e.LoggerName, e.Level, e.Message, e.ContextMap())
			}
		}
	})
	for range cfg.correlators {
		run(s, "correlator", cfg.correlator, correlator.New)
	}
	for range cfg.adapters {
		run(s, "adapter", cfg.adapter, adapter.New)
	}
	for range cfg.gateways {
		run(s, "gateway", cfg.gateway, gateway.New)
	}
	return s
}

// run runs a service until the test ends, or until what it returns is called.
func run[C daemon.Config, S daemon.Service](
	s *suite, name string, cfg C, newService func(context.Context, C, *nats.Conn, *zap.Logger) (S, error),
) (stop func()) {
	s.t.Helper()
	log := s.log.Named(name)
	nc, err := bus.Connect(s.t.Context(), bus.Config{URL: s.server.URL(), Name: name}, log)
	if err != nil {
		s.t.Fatal(err)
	}
	service, err := newService(s.t.Context(), cfg, nc, log)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- service.Run(ctx)
		nc.Close()
	}()
	stop = func() {
		cancel()
		if err := <-done; err != nil {
			s.t.Error(err)
		}
		done <- nil
	}
	s.t.Cleanup(stop)
	return stop
}

// waiting is how many requests have not been answered yet, as the gateways count them.
func (s *suite) waiting() (int, error) {
	sub, err := s.nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := s.nc.PublishRequest("$SRV.STATS.score-gateway", sub.Subject, nil); err != nil {
		return 0, err
	}
	n := 0
	for range s.gateways {
		msg, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			return 0, err
		}
		var stats micro.Stats
		if err := json.Unmarshal(msg.Data, &stats); err != nil {
			return 0, err
		}
		for _, e := range stats.Endpoints {
			var own struct{ Open int }
			if err := json.Unmarshal(e.Data, &own); err != nil {
				return 0, fmt.Errorf("endpoint %s: %w", e.Name, err)
			}
			n += own.Open
		}
	}
	return n, nil
}
