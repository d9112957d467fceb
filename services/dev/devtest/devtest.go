// Package devtest runs the whole suite for a test. Its products are those of `scoreflow dev`: credit, of a demo backend that takes no time;
// and report, whose backend here leaves it to the test to notify.
package devtest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/services/demo"
	"github.com/scoreflow/scoreflow/services/dev"
)

// Run runs the suite until the test ends. url is where its NATS server is.
func Run(t testing.TB) (url string, report *Backend) {
	t.Helper()
	log := zaptest.NewLogger(t, zaptest.Level(zap.WarnLevel))
	credit, err := demo.New(demo.Config{Listen: "127.0.0.1:0"}, log)
	if err != nil {
		t.Fatal(err)
	}
	run(t, credit)
	report = &Backend{calls: map[string]Call{}}
	report.more = sync.NewCond(&report.mu)
	server := httptest.NewServer(report)
	t.Cleanup(server.Close)
	suite, err := dev.New(t.Context(), dev.Config{
		Store: t.TempDir(), AdapterListen: "127.0.0.1:0", DemoListen: "127.0.0.1:0",
		Products: product.Catalog{
			"credit": {Backend: product.Backend{Kind: product.HTTP, URL: "http://" + credit.Addr() + "/credit"}},
			"report": {Backend: product.Backend{Kind: product.HTTPCallback, URL: server.URL}},
		}.WithDefaults(),
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	run(t, suite)
	return suite.URL(), report
}

// run runs a service until the test ends.
func run(t testing.TB, service daemon.Service) {
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- service.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// Backend takes over calculations and keeps how it was called.
type Backend struct {
	mu    sync.Mutex
	more  *sync.Cond
	calls map[string]Call // by correlation ID
}

// Call is how a calculation was handed over.
type Call struct {
	Header http.Header
	Body   []byte
	URL    string // to notify at
	Token  string // to notify with
}

func (b *Backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body struct {
		CorrelationID string `json:"correlation_id"`
		Callback      struct{ URL, Token string }
	}
	data, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[body.CorrelationID] = Call{Header: r.Header, Body: data, URL: body.Callback.URL, Token: body.Callback.Token}
	b.more.Broadcast()
	w.WriteHeader(http.StatusAccepted)
}

// Call is how the calculation was handed over; it waits until it is.
func (b *Backend) Call(correlationID string) Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if call, ok := b.calls[correlationID]; ok {
			return call
		}
		b.more.Wait()
	}
}

// Only is how the one calculation was handed over that there is; it waits until there is one.
func (b *Backend) Only() Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		for _, call := range b.calls {
			return call
		}
		b.more.Wait()
	}
}
