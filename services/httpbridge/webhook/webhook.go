// Package webhook tells results to HTTP endpoints, by Standard Webhooks 1.0.0.
//
// Everything is in JetStream; any number of bridges share the work, and any of them may die at any time.
//
//	webhooks            the bucket of endpoints: where to, how, and what signs.
//	webhook-deliveries  the bucket of deliveries, one for each endpoint and correlation ID: who is to be told of what, every attempt, and
//	                    when the next one is due. It decides.
//	WEBHOOKS            a work queue of hints, `due` now or kept for `later`, that a delivery is to be looked at. A hint knows nothing, so
//	                    it does no harm that one comes twice or too early.
//
//	Register --create--> delivery: waiting --+
//	         --hint----> due ----------------|--> worker: is the result there? ------------+
//	RESULTS, consumer ----------------------------> known to each delivery of it: pending   |
//	                                         |      and a hint                              v
//	                                         +---------------------------- worker: begin an attempt, POST, end it
//	                                                                          |    2xx: delivered
//	                                                                          +--> later, fires on due; at last: failed
//
// Nothing is lost: a delivery is stored before Register returns, and each step that stores one that is not at rest is followed by a
// hint before the hint, or the result, that caused it is acknowledged. A crash between the two has the cause redelivered, and the step is
// repeated. The result of a registered calculation is seen either by the worker that looks at it, or by the consumer of RESULTS, which
// looks for deliveries after the commit; both ask the leaders. Should both be missed, because no bridge was alive for as long as results
// are kept, the worker has left a reminder for some time after the calculation's deadline.
//
// No attempt is forgotten: it is stored as begun, by compare-and-set, before the request is sent. So no two bridges make one at the same time,
// and whoever finds one that never ended knows that it was interrupted; it is made again at once.
//
// One slow receiver never delays another: each endpoint has a consumer of its own and a limit of how many attempts are under way to it. One
// shared pool would need a fair queue in memory in front of it, and one slow endpoint with ten thousand deliveries would still churn
// through everybody's hints. The price is a consumer for each endpoint, so there may be some hundreds of them; endpoints are
// applications, not customers. A wait of hours is a scheduled message, not one that is held back by a consumer.
package webhook

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

// Service registers, delivers, and keeps the endpoints.
type Service struct {
	cfg        Config
	log        *zap.Logger
	js         jetstream.JetStream
	store      *store.Store
	endpoints  endpoints
	deliveries deliveries
	results    jetstream.Consumer
	client     *http.Client
}

const (
	seers = 64              // results looked at at once
	grace = 5 * time.Second // that attempts under way get to end when the service is stopped
)

// New returns when Register and the routes may be used; deliveries are made by Run.
func New(ctx context.Context, cfg Config, nc *nats.Conn, log *zap.Logger) (*Service, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, log: log, client: newClient(cfg)}
	var err error
	if s.store, err = store.Open(ctx, nc, store.Config{Replicas: cfg.Replicas}); err != nil {
		return nil, err
	}
	if s.js, err = jetstream.New(nc); err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	s.endpoints.js, s.deliveries.js = s.js, s.js
	if s.endpoints.bucket, err = openBucket(ctx, s.js, subject.WebhookEndpoints); err != nil {
		return nil, err
	}
	if s.deliveries.bucket, err = openBucket(ctx, s.js, subject.WebhookDeliveries); err != nil {
		return nil, err
	}
	if s.deliveries.stream, err = s.js.Stream(ctx, "KV_"+subject.WebhookDeliveries); err != nil {
		return nil, fmt.Errorf("bucket %s: %w", subject.WebhookDeliveries, err)
	}
	s.results, err = s.store.Consumer(ctx, subject.Results, subject.WebhookResultsConsumer, subject.AllResults, cfg.AckWait)
	if err != nil {
		return nil, err
	}
	for _, e := range cfg.Endpoints {
		if err := s.configure(ctx, e); err != nil {
			return nil, fmt.Errorf("endpoint %s: %w", e.ID, err)
		}
	}
	return s, nil
}

// Run delivers until ctx ends. Attempts under way get a little time to end; what is cut off is made again by the next bridge.
func (s *Service) Run(ctx context.Context) error {
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cut) })()
	var all sync.WaitGroup
	all.Go(func() {
		work := context.WithoutCancel(ctx) // what is under way is finished
		bus.Consume(ctx, s.results, seers, func(m jetstream.Msg) { s.see(work, m) }, s.log)
	})
	all.Go(func() { s.lines(ctx, sending) })
	all.Wait()
	s.client.CloseIdleConnections()
	return nil
}

// patience is how long a message is worked on, so that it is left before another bridge takes it over.
func (s *Service) patience() time.Duration { return s.cfg.AckWait * 5 / 6 }
