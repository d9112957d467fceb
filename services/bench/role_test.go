package bench

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/pkg/natsd"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
	"github.com/scoreflow/scoreflow/services/adapter"
	"github.com/scoreflow/scoreflow/services/correlator"
	"github.com/scoreflow/scoreflow/services/dev"
	"github.com/scoreflow/scoreflow/services/gateway"
	"github.com/scoreflow/scoreflow/services/httpbridge"
)

// What a role is told in its environment.
const (
	roleVariable   = "SCOREFLOW_BENCH_ROLE"
	storeVariable  = "SCOREFLOW_BENCH_STORE"
	urlVariable    = "SCOREFLOW_BENCH_URL"
	answerVariable = "SCOREFLOW_BENCH_ANSWER"
	typeVariable   = "SCOREFLOW_BENCH_CONTENT_TYPE"
)

// serverRole is the NATS server.
const serverRole = "server"

const anyPort = "127.0.0.1:0"

const secret = "a secret of the benchmark, long enough"

// runner is a service that is ready.
type runner interface {
	Run(ctx context.Context) error
}

// play plays a role until the parent ends it.
func play(name string) error {
	ctx, stop := signal.NotifyContext(untilParentEnds(), syscall.SIGTERM)
	defer stop()
	switch name {
	case serverRole:
		return playServer(ctx)
	case "handler":
		return playHandler(ctx)
	case "dev":
		return playDev(ctx)
	}
	log := zap.Must(zap.NewDevelopment(zap.IncreaseLevel(zap.WarnLevel)))
	nc, err := bus.Connect(ctx, bus.Config{URL: os.Getenv(urlVariable), Name: name}, log)
	if err != nil {
		return err
	}
	defer nc.Close()
	if name != "echo" && name != "pipeline" { // which are no daemons
		defer runtime.KeepAlive(daemon.Ballast())
	}
	var service runner
	ready := "ready"
	switch name {
	case "gateway":
		service, err = gateway.New(ctx, gateway.Config{Products: products(), Secret: []byte(secret)}, nc, log)
	case "correlator":
		service, err = correlator.New(ctx, correlator.Config{Products: products()}, nc, log)
	case "adapter":
		service, err = adapter.New(ctx, adapter.Config{
			Products: products(), Secret: []byte(secret), Backends: map[string]adapter.Backend{"credit": instant{}},
		}, nc, log)
	case "echo":
		service, err = newEcho(nc)
	case "pipeline":
		service, err = newPipeline(ctx, nc)
	case "bridge":
		service, ready, err = newBridge(ctx, nc, log)
	default:
		err = errors.New("there is no such role")
	}
	if err != nil {
		return err
	}
	return serve(ctx, name, ready, service)
}

func playServer(ctx context.Context) error {
	ns, err := natsd.Start(natsd.Config{StoreDir: os.Getenv(storeVariable)}, zap.NewNop())
	if err != nil {
		return err
	}
	defer ns.Shutdown()
	return serve(ctx, serverRole, ns.ClientURL(), idle{})
}

// serve tells the parent that the role is ready, and runs.
func serve(ctx context.Context, name, ready string, service runner) error {
	if *profiles != "" {
		file, err := os.Create(filepath.Join(*profiles, fmt.Sprintf("%s-%d.pprof", name, os.Getpid())))
		if err != nil {
			return err
		}
		defer file.Close()
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	fmt.Println(ready)
	return service.Run(ctx)
}

// idle is what needs nothing done.
type idle struct{}

func (idle) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// products has one product, whose backend is part of the adapter.
func products() product.Catalog {
	return product.Catalog{"credit": {Backend: product.Backend{
		Kind: product.HTTP, URL: "http://not.called.invalid", Concurrency: workers,
	}}}
}

// workers is how many work items are under way at once, in the adapter as in the floor.
const workers = 256

// instant is a backend that takes no time.
type instant struct{}

func (instant) Call(context.Context, adapter.Call) (*scorev1.Report, error) { return report(), nil }

// report is what a backend typically reports.
func report() *scorev1.Report {
	return &scorev1.Report{
		Result: &scorev1.Report_Score{Score: &scorev1.Score{
			Outcome: scorev1.Outcome_SCORED, Value: proto.Int32(712), RangeMin: 300, RangeMax: 850,
			Model: &scorev1.Model{Name: "bench", Version: "1.0"},
			KeyFactors: []*scorev1.KeyFactor{
				{Code: "A03", Text: "Proportion of balances to limits is too high"},
				{Code: "A07", Text: "Too many inquiries in the last twelve months"},
				{Code: "F01", Text: "Long history without late payments"},
				{Code: "F04", Text: "Several kinds of accounts in good standing"},
			},
			Sources: []string{"bureau-a", "bureau-b", "register"},
		}},
		Validity: durationpb.New(time.Hour),
	}
}

// newEcho is the floor of a cached answer: a micro service that gives the same bytes to everyone.
func newEcho(nc *nats.Conn) (runner, error) {
	answer, err := base64.StdEncoding.DecodeString(os.Getenv(answerVariable))
	if err != nil {
		return nil, err
	}
	var opts []micro.RespondOpt
	encoding := wire.JSON
	if kind := os.Getenv(typeVariable); kind != "" {
		opts = append(opts, micro.WithHeaders(micro.Headers{subject.ContentType: {kind}}))
		encoding = wire.Protobuf
	}
	service, err := micro.AddService(nc, micro.Config{Name: "echo", Version: "0.0.0"})
	if err != nil {
		return nil, err
	}
	err = service.AddEndpoint("echo", micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(answer, opts...) }),
		micro.WithEndpointSubject(echoSubject(encoding)))
	if err != nil {
		return nil, err
	}
	return idle{}, nc.Flush()
}

func echoSubject(e wire.Encoding) string { return fmt.Sprintf("bench.echo.%d", e) }

// newBridge is a bridge; ready is where it listens, for clients and for operators.
func newBridge(ctx context.Context, nc *nats.Conn, log *zap.Logger) (service runner, ready string, err error) {
	s, err := httpbridge.New(ctx, httpbridge.Config{Listen: anyPort, AdminListen: anyPort}, nc, log)
	if err != nil {
		return nil, "", err
	}
	return s, s.Addr() + " " + s.AdminAddr(), nil
}

// playHandler is the floor of a cached answer over HTTP: a handler that gives the same bytes to everyone. It is ready where it listens.
func playHandler(ctx context.Context) error {
	answer, err := base64.StdEncoding.DecodeString(os.Getenv(answerVariable))
	if err != nil {
		return err
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}))
	defer s.Close()
	return serve(ctx, "handler", s.Listener.Addr().String(), idle{})
}

// playDev is everything in one process. It is ready where its bridge listens.
func playDev(ctx context.Context) error {
	defer runtime.KeepAlive(daemon.Ballast())
	suite, err := dev.New(ctx, dev.Config{
		Store: os.Getenv(storeVariable), AdapterListen: anyPort, DemoListen: anyPort, HTTPListen: anyPort, HTTPAdmin: anyPort,
	}, zap.NewNop())
	if err != nil {
		return err
	}
	return serve(ctx, "dev", suite.HTTPAddr(), suite)
}
