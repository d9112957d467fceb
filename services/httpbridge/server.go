package httpbridge

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"
)

// How long things may take, against clients that are slow on purpose.
const (
	headerTimeout = 5 * time.Second  // to send the head of a request
	writeTimeout  = 30 * time.Second // to take an answer, or an event
	idleTimeout   = time.Minute      // between two requests
	maxHeader     = 16 << 10         // bytes
)

// surplus is how many connections beyond the limit are held to tell them so; beyond that they wait until they are accepted.
const surplus = 256

// listenAll opens both addresses.
func (s *Service) listenAll() error {
	listener, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	admin, err := net.Listen("tcp", s.cfg.AdminListen)
	if err != nil {
		listener.Close()
		return fmt.Errorf("admin_listen: %w", err)
	}
	log := zap.NewStdLog(s.log.Named("http"))
	s.listener = &countingListener{Listener: netutil.LimitListener(listener, s.cfg.MaxConnections+surplus), most: int64(s.cfg.MaxConnections)}
	s.server = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: min(headerTimeout, s.cfg.ReadTimeout),
		ReadTimeout:       s.cfg.ReadTimeout,
		WriteTimeout:      s.cfg.MaxWait + writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if c, ok := c.(*countedConn); ok && c.surplus {
				return context.WithValue(ctx, surplusKey{}, true)
			}
			return ctx
		},
	}
	s.adminListener = admin
	s.admin = &http.Server{
		Handler: s.adminHandler(), ReadTimeout: s.cfg.ReadTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: log,
	}
	return nil
}

// surplusKey marks the context of a connection beyond the limit.
type surplusKey struct{}

// countingListener marks the connections that are more than there may be, so that they can be told.
type countingListener struct {
	net.Listener
	most int64
	open atomic.Int64
}

func (l *countingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: c, surplus: l.open.Add(1) > l.most, closed: sync.OnceFunc(func() { l.open.Add(-1) })}, nil
}

type countedConn struct {
	net.Conn
	surplus bool
	closed  func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}
