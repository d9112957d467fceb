package main

import (
	"context"

	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/services/demo"
)

type demoCommand struct {
	daemon.Log
	Listen string  `help:"Where it is called." default:"127.0.0.1:8090"`
	Pace   float64 `help:"The time that it takes, as a factor: 1 = seconds, 0 = none." default:"1"`
}

func (c *demoCommand) Run(ctx context.Context) error {
	log := c.Logger("demo")
	backend, err := demo.New(demo.Config{Listen: c.Listen, Pace: c.Pace}, log)
	if err != nil {
		return err
	}
	log.Info("ready", zap.String("listen", backend.Addr()))
	return backend.Run(ctx)
}
