package httpbridge

import (
	"cmp"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// metrics is what the bridge counts. No label has a value that a client chooses.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	took     *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	underWay prometheus.Gauge // all that is in flight
	lookups  *prometheus.CounterVec
	webhooks *prometheus.CounterVec
}

func newMetrics(version string) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scoreflow_requests_total", Help: "Requests, by route and status of the answer.",
		}, []string{"interface", "operation", "outcome"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "scoreflow_request_duration_seconds", Help: "How long requests took, their waiting included.",
			Buckets:                     []float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10},
			NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 100, NativeHistogramMinResetDuration: time.Hour,
		}, []string{"interface", "operation"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "scoreflow_requests_in_flight", Help: "Requests under way: all of them, those of them that wait for a result, and those that are streams of events.",
		}, []string{"interface", "kind"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scoreflow_cache_lookups_total", Help: "How asks met the cache of scores.",
		}, []string{"result"}),
		webhooks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "scoreflow_webhook_deliveries_total", Help: "Attempts to deliver a webhook, by how they ended.",
		}, []string{"outcome"}),
	}
	m.underWay = m.inFlight.WithLabelValues("http", "request")
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "scoreflow_build_info", Help: "This build."}, []string{"service", "version"})
	build.WithLabelValues("http-bridge", version).Set(1)
	m.registry.MustRegister(m.requests, m.took, m.inFlight, m.lookups, m.webhooks, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// open counts what is under way until done is called.
func (m *metrics) open(kind string) (done func()) {
	g := m.inFlight.WithLabelValues("http", kind)
	g.Inc()
	return g.Dec
}

// answered counts an answer; status 0 says that there was none.
func (m *metrics) answered(pattern string, status int, took time.Duration) {
	operation := cmp.Or(pattern, "none")
	m.requests.WithLabelValues("http", operation, strconv.Itoa(status)).Inc()
	m.took.WithLabelValues("http", operation).Observe(took.Seconds())
}

// lookedUp counts how an ask met the cache.
func (m *metrics) lookedUp(c scorev1.Cache) {
	result := "miss"
	switch c {
	case scorev1.Cache_HIT:
		result = "hit"
	case scorev1.Cache_JOINED:
		result = "collapsed"
	}
	m.lookups.WithLabelValues(result).Inc()
}

// delivered counts an attempt to deliver a webhook.
func (m *metrics) delivered(outcome string) { m.webhooks.WithLabelValues(outcome).Inc() }

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}
