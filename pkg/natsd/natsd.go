// Package natsd is a NATS server with JetStream inside this process. It has no authentication, so it is reached over loopback only.
package natsd

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"
)

const (
	readyWithin     = 30 * time.Second
	maxAckPending   = 100_000 // of one consumer
	duplicateWindow = 10 * time.Minute
)

// Config is what a server is started with.
type Config struct {
	StoreDir   string // of JetStream; made when missing; one process at a time
	Host       string // a loopback address; default 127.0.0.1
	Port       int    // 0 = any free one
	DontListen bool   // no port at all: only connections from this process, by nats.InProcessServer
	SyncAlways bool   // fsync every message: also a power loss then loses nothing acknowledged; default every 2 minutes
}

// Validate names the first setting that cannot be.
func (c Config) Validate() error {
	if c.StoreDir == "" {
		return errors.New("store: it is not set")
	}
	if !isLoopback(c.host()) {
		return fmt.Errorf("nats-host: %q is not a loopback address, and this server asks nobody who he is", c.Host)
	}
	if c.Port < 0 || c.Port > 65535 {
		return fmt.Errorf("nats-port: %d is not a port", c.Port)
	}
	return nil
}

// Server is a running server. Its methods may be called concurrently.
type Server struct {
	server *server.Server
	lock   *lock
}

// Start returns a server that is ready for connections, with all that its store holds recovered.
func Start(cfg Config, log *zap.Logger) (_ *Server, err error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	lock, err := acquire(cfg.StoreDir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			lock.release()
		}
	}()
	if err := cfg.probePort(); err != nil {
		return nil, err
	}
	ns, err := server.NewServer(cfg.options())
	if err != nil {
		return nil, fmt.Errorf("NATS server: %w", err)
	}
	logger := &logger{log: log.Named("nats").Sugar()}
	ns.SetLoggerV2(logger, false, false, false)
	ns.Start()
	if err := logger.failure(); err != nil {
		ns.Shutdown()
		return nil, fmt.Errorf("NATS server: %w", err)
	}
	if !ns.ReadyForConnections(readyWithin) {
		ns.Shutdown()
		return nil, fmt.Errorf("NATS server: not ready after %v", readyWithin)
	}
	return &Server{server: ns, lock: lock}, nil
}

// ClientURL is where clients connect; empty when the server does not listen.
func (s *Server) ClientURL() string {
	if s.server.Addr() == nil {
		return ""
	}
	return s.server.ClientURL()
}

// InProcessConn is for nats.InProcessServer.
func (s *Server) InProcessConn() (net.Conn, error) { return s.server.InProcessConn() }

// Shutdown returns when the store is closed and free for the next process. It may be repeated.
func (s *Server) Shutdown() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
	s.lock.release()
}

func (c Config) host() string {
	if c.Host == "" {
		return "127.0.0.1"
	}
	return c.Host
}

func (c Config) options() *server.Options {
	port := c.Port
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return &server.Options{
		ServerName:             "scoreflow",
		Host:                   c.host(),
		Port:                   port,
		DontListen:             c.DontListen,
		JetStream:              true,
		StoreDir:               c.StoreDir,
		SyncAlways:             c.SyncAlways,
		JetStreamLimits:        server.JSLimitOpts{MaxAckPending: maxAckPending, Duplicates: duplicateWindow},
		DisableJetStreamBanner: true,
		NoSigs:                 true,
	}
}

// probePort asks before the server does, which would recover the whole store first and then only log that the port is taken.
func (c Config) probePort() error {
	if c.DontListen || c.Port == 0 {
		return nil
	}
	addr := net.JoinHostPort(c.host(), strconv.Itoa(c.Port))
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s is in use: is another `make run` running? choose another with --nats-port", addr)
	}
	if err != nil {
		return fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l.Close()
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
