package dev_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/services/dev"
)

func TestPortInUseNamesTheFlagAndGivesTheRestBack(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	addr := taken.Addr().String()
	cfg := dev.Config{Store: t.TempDir(), AdapterListen: "127.0.0.1:0", DemoListen: "127.0.0.1:0", HTTPListen: "127.0.0.1:0", HTTPAdmin: "127.0.0.1:0"}
	for flag, change := range map[string]func(*dev.Config){
		"--nats-port":      func(c *dev.Config) { c.NATSPort = taken.Addr().(*net.TCPAddr).Port },
		"--adapter-listen": func(c *dev.Config) { c.AdapterListen = addr },
		"--demo-listen":    func(c *dev.Config) { c.DemoListen = addr },
		"--http-listen":    func(c *dev.Config) { c.HTTPListen = addr },
		"--http-admin":     func(c *dev.Config) { c.HTTPAdmin = addr },
	} {
		wrong := cfg
		change(&wrong)
		_, err := dev.New(t.Context(), wrong, zap.NewNop())
		if err == nil || !strings.HasPrefix(err.Error(), addr+" is in use") || !strings.HasSuffix(err.Error(), flag) {
			t.Errorf("%s: got %v", flag, err)
		}
	}
	runOnce(t, cfg)
}

func TestStoreBelongsToOneSuite(t *testing.T) {
	cfg := dev.Config{Store: t.TempDir(), AdapterListen: "127.0.0.1:0", DemoListen: "127.0.0.1:0"}
	first, err := dev.New(t.Context(), cfg, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	_, err = dev.New(t.Context(), cfg, zap.NewNop())
	if want := fmt.Sprintf("%s is in use by process %d", cfg.Store, os.Getpid()); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	end(t, first)
	runOnce(t, cfg)
}

func TestWelcomeSaysWhereEverythingIs(t *testing.T) {
	s, _ := suite(t)
	var out strings.Builder
	if err := s.Welcome(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{s.URL(), "request 42 --nats-url " + s.URL(), "nats -s " + s.URL(), `{"customer_id":"44","wait":"30s"}`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
}

func runOnce(t *testing.T, cfg dev.Config) {
	t.Helper()
	s, err := dev.New(t.Context(), cfg, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	end(t, s)
}

// end runs s with a context that has ended already.
func end(t *testing.T, s *dev.Suite) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
}
