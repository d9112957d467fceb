package main

import (
	"context"
	"os"

	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/services/dev"
)

type devCommand struct {
	daemon.File
	daemon.Log
	Store         string  `help:"Directory of all data; one process at a time." default:"data"`
	NATSPort      int     `name:"nats-port" help:"Port of NATS on 127.0.0.1; 0 = any free one." default:"4222"`
	AdapterListen string  `help:"Where backends may notify by HTTP." default:"127.0.0.1:8091"`
	HTTPListen    string  `name:"http-listen" help:"Where the HTTP bridge is." default:"127.0.0.1:8080"`
	HTTPAdmin     string  `name:"http-admin" help:"Where its health and metrics are." default:"127.0.0.1:8081"`
	DemoListen    string  `help:"Where the demo backend is." default:"127.0.0.1:8090"`
	DemoPace      float64 `help:"The time that the demo backend takes, as a factor: 1 = seconds, 0 = none." default:"1"`
	SyncAlways    bool    `help:"Lose nothing in a power loss either: every message goes to the disk at once."`
}

func (c *devCommand) Run(ctx context.Context) error {
	log := c.Logger("scoreflow")
	suite, err := dev.New(ctx, dev.Config{
		Store: c.Store, NATSPort: c.NATSPort, SyncAlways: c.SyncAlways, AdapterListen: c.AdapterListen,
		HTTPListen: c.HTTPListen, HTTPAdmin: c.HTTPAdmin, DemoListen: c.DemoListen, DemoPace: c.DemoPace, Products: c.Products,
	}, log)
	if err != nil {
		return err
	}
	if err := suite.Welcome(os.Stdout); err != nil {
		log.Warn(err.Error())
	}
	return suite.Run(ctx)
}
