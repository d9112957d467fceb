// Package natstest gives a test a NATS server of its own: a real one with JetStream on files, in this process, gone with the test.
package natstest

import (
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/natsd"
)

const reconnectWait = 10 * time.Millisecond

// Server is the server of one test. It can go away and come back with all that it had stored, and connections follow.
type Server struct {
	t   testing.TB
	cfg natsd.Config
	url string // empty = it does not listen

	mu     sync.Mutex
	server *natsd.Server // nil = away
}

// Run starts a server without a port: Conn is the way to it.
func Run(t testing.TB) *Server {
	t.Helper()
	return run(t, natsd.Config{StoreDir: t.TempDir(), DontListen: true})
}

// RunTCP starts a server that also listens, on a free port of 127.0.0.1.
func RunTCP(t testing.TB) *Server {
	t.Helper()
	return run(t, natsd.Config{StoreDir: t.TempDir()})
}

func run(t testing.TB, cfg natsd.Config) *Server {
	t.Helper()
	s := &Server{t: t, cfg: cfg}
	s.Start()
	t.Cleanup(s.Stop)
	if !cfg.DontListen {
		s.url = s.server.ClientURL()
		s.cfg.Port = port(t, s.url)
	}
	return s
}

// Conn is a new connection, closed with the test. It never gives up to reconnect.
func (s *Server) Conn(opts ...nats.Option) *nats.Conn {
	s.t.Helper()
	opts = append([]nats.Option{nats.MaxReconnects(-1), nats.ReconnectWait(reconnectWait), nats.ReconnectJitter(0, 0)}, opts...)
	if s.url == "" {
		opts = append(opts, nats.InProcessServer(s))
	}
	nc, err := nats.Connect(s.url, opts...)
	if err != nil {
		s.t.Fatalf("connect to the test's NATS server: %v", err)
	}
	s.t.Cleanup(nc.Close)
	return nc
}

// JetStream is JetStream over a new connection.
func (s *Server) JetStream() jetstream.JetStream {
	s.t.Helper()
	js, err := jetstream.New(s.Conn())
	if err != nil {
		s.t.Fatalf("JetStream: %v", err)
	}
	return js
}

// URL is the address of a server made by RunTCP. It stays the same while the server is away.
func (s *Server) URL() string { return s.url }

// Start brings a stopped server back, on the same port and store.
func (s *Server) Start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		return
	}
	server, err := natsd.Start(s.cfg, zap.NewNop())
	if err != nil {
		s.t.Fatal(err)
	}
	s.server = server
}

// Stop takes the server away.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server != nil {
		s.server.Shutdown()
		s.server = nil
	}
}

// Restart is Stop and Start.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	s.Start()
}

// InProcessConn leads a connection to the server that runs now, so that connections survive Restart.
func (s *Server) InProcessConn() (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil, nats.ErrNoServers
	}
	return s.server.InProcessConn()
}

func port(t testing.TB, rawURL string) int {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(u.Port())
	if err != nil {
		t.Fatal(err)
	}
	return n
}
