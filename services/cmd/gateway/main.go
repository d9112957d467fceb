// The gateway is the client's side of the suite: it answers requests for scores, from its cache, by waiting, or with a correlation ID.
package main

import (
	"context"
	"time"

	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/services/gateway"
)

func main() {
	daemon.Main("gateway", "Answers requests for scores over NATS: at once when there is one, else by waiting or with a correlation ID.", &command{})
}

type command struct {
	daemon.Settings
	daemon.Secret
	Tenant     string        `help:"Whose customers these are." default:"default"`
	CacheBytes int64         `help:"Memory for scores, in bytes." default:"67108864"`
	MaxWait    time.Duration `help:"The longest that a request may wait for its score." default:"110s"`
	MaxWaiting int           `help:"How many requests may wait at once; others are answered PENDING." default:"200000"`
}

func (c *command) Run(ctx context.Context) error {
	secret, err := c.Secret.Read()
	if err != nil {
		return err
	}
	return daemon.Serve(ctx, "gateway", c.Settings, gateway.Config{
		Products: c.Products, Secret: secret, Tenant: c.Tenant, Replicas: c.Replicas,
		CacheBytes: c.CacheBytes, MaxWait: c.MaxWait, MaxWaiting: c.MaxWaiting, Version: daemon.Version(),
	}, gateway.New)
}
