// The backend adapter is the backends' side of the suite: it calls them, and takes their notifications.
package main

import (
	"context"
	"time"

	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/services/adapter"
)

func main() {
	daemon.Main("backend-adapter", "Calls the backends that calculate scores, and takes their notifications.", &command{})
}

type command struct {
	daemon.Settings
	daemon.Secret
	Listen      string        `help:"Where backends may notify by HTTP, as host:port; empty = nowhere." default:"127.0.0.1:8091"`
	CallbackURL string        `name:"callback-url" help:"The same as backends see it; default http://<listen>." placeholder:"URL"`
	AckWait     time.Duration `help:"After how long without a sign of life work goes to another adapter." default:"30s"`
}

func (c *command) Run(ctx context.Context) error {
	secret, err := c.Secret.Read()
	if err != nil {
		return err
	}
	return daemon.Serve(ctx, "backend-adapter", c.Settings, adapter.Config{
		Products: c.Products, Replicas: c.Replicas, Secret: secret,
		Listen: c.Listen, CallbackURL: c.CallbackURL, AckWait: c.AckWait, Version: daemon.Version(),
	}, adapter.New)
}
