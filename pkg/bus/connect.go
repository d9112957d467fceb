// Package bus is how services talk NATS: connections that never give up, publishing until it is acknowledged, consuming with bounded
// concurrency, and endpoints that answer many requests at once.
package bus

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

// Config is how to reach NATS.
type Config struct {
	URL   string // of one or more servers, separated by commas
	Creds string // file of credentials; empty = none
	Name  string // of this connection, for those who operate the server
}

// Connect connects and returns when it is connected, however long that takes; only ctx ends it. Afterwards the connection is restored for
// ever. While it is away publishing fails at once instead of being kept for later: what is repeated is repeated by those who know how.
func Connect(ctx context.Context, cfg Config, log *zap.Logger) (*nats.Conn, error) {
	connected := make(chan struct{}, 1)
	opts := []nats.Option{
		nats.Name(cfg.Name),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(250*time.Millisecond, time.Second),
		nats.ReconnectBufSize(-1),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ConnectHandler(func(*nats.Conn) { connected <- struct{}{} }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("NATS is away", zap.Error(err))
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Info("NATS is back", zap.String("server", nc.ConnectedUrlRedacted())) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			fields := []zap.Field{zap.Error(err)}
			if sub != nil {
				fields = append(fields, zap.String("subject", sub.Subject))
			}
			log.Warn("NATS reports an error", fields...)
		}),
	}
	if cfg.Creds != "" {
		opts = append(opts, nats.UserCredentials(cfg.Creds))
	}
	nc, err := nats.Connect(cfg.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", Redact(cfg.URL), err)
	}
	remind := time.NewTicker(10 * time.Second)
	defer remind.Stop()
	for {
		select {
		case <-connected:
			return nc, nil
		case <-remind.C:
			log.Warn("NATS is not there yet", zap.String("url", Redact(cfg.URL)), zap.Error(nc.LastError()))
		case <-ctx.Done():
			nc.Close()
			return nil, fmt.Errorf("connect to NATS at %s: %w", Redact(cfg.URL), ctx.Err())
		}
	}
}

// Redact is the URL, or several with commas between them, without the passwords that may be in them: for logs and people.
func Redact(urls string) string {
	all := strings.Split(urls, ",")
	for i, one := range all {
		u, err := url.Parse(strings.TrimSpace(one))
		if err != nil {
			return "the given address"
		}
		all[i] = u.Redacted()
	}
	return strings.Join(all, ",")
}
