package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime/debug"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/scoreflow/scoreflow/pkg/natstest"
)

type config struct{ wrong error }

func (c config) Validate() error { return c.wrong }

// service tells that it runs, and that it drained.
type service struct{ running, drained chan struct{} }

func (s *service) Run(ctx context.Context) error {
	close(s.running)
	<-ctx.Done()
	close(s.drained)
	return nil
}

func (s *service) start(context.Context, config, *nats.Conn, *zap.Logger) (*service, error) {
	return s, nil
}

func TestServeWaitsForNATSAndDrains(t *testing.T) {
	server := natstest.RunTCP(t)
	server.Stop()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s := &service{make(chan struct{}), make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, "test", quiet(server.URL()), config{}, s.start) }()

	server.Start()
	<-s.running
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	<-s.drained
}

func TestServeEndsWhileNATSIsAway(t *testing.T) {
	server := natstest.RunTCP(t)
	server.Stop()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, "test", quiet(server.URL()), config{}, (&service{}).start) }()
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestServeRefusesAWrongConfigurationBeforeNATS(t *testing.T) {
	wrong := errors.New("products: there is none")
	err := Serve(t.Context(), "test", quiet("nats://127.0.0.1:1"), config{wrong}, (&service{}).start)
	if !errors.Is(err, wrong) || exitCode(err) != exitUsage {
		t.Fatalf("got %v", err)
	}
}

func TestSignalEndsTheContext(t *testing.T) {
	g := &grammar{run: func(ctx context.Context) error {
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}}
	if got := run("test", "Tests.", g, nil); got != 0 {
		t.Fatalf("got exit code %d", got)
	}
}

func TestLogLine(t *testing.T) {
	var out bytes.Buffer
	log := (&Log{LogLevel: "info", LogFormat: "json"}).logger("gateway", zapcore.AddSync(&out))
	log.Debug("not wanted")
	log.Named("cache").Info("filled", zap.Int("scores", 3))

	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, out.Bytes())
	}
	ts, _ := got["ts"].(string)
	if len(ts) != len("2006-01-02T15:04:05.000Z") || ts[len(ts)-1] != 'Z' {
		t.Errorf("ts: %q", ts)
	}
	delete(got, "ts")
	want := map[string]any{
		"level": "info", "logger": "cache", "msg": "filled", "scores": 3.0, "service": "gateway", "version": Version(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestVersionIsSemantic(t *testing.T) {
	for build, want := range map[string]string{
		"":                          "0.0.0+unknown",
		"v1.2.3":                    "1.2.3",
		"v1.2.3-4-g1234567-dirty":   "1.2.3-4-g1234567-dirty",
		"1234567-dirty":             "0.0.0+1234567-dirty",
		"v0.0.0-2026-abcdef0+dirty": "0.0.0-2026-abcdef0+dirty",
	} {
		if got := semantic(build); got != want {
			t.Errorf("%q: got %s, want %s", build, got, want)
		}
	}
	if got := fromBuild(&debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "1234567"}}}); got != "1234567" {
		t.Errorf("got %s", got)
	}
}

func quiet(url string) Settings {
	return Settings{NATS: NATS{NATSURL: url}, Log: Log{LogLevel: "error", LogFormat: "json"}, Replicas: 1}
}
