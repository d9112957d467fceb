// The correlator owns the correlation state: it turns what backends reported into scores and results, and ends what is overdue.
package main

import (
	"context"
	"time"

	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/services/correlator"
)

func main() {
	daemon.Main("correlator", "Turns what backends reported into scores and results, and ends what is overdue.", &command{})
}

type command struct {
	daemon.Settings
	SweepEvery time.Duration `help:"How often overdue calculations are looked for." default:"30s"`
	Park       time.Duration `help:"How long a report whose calculation is unknown is kept, in case that it comes." default:"5m"`
	AckWait    time.Duration `help:"After how long the work of a correlator goes to another." default:"30s"`
}

func (c *command) Run(ctx context.Context) error {
	return daemon.Serve(ctx, "correlator", c.Settings, correlator.Config{
		Products: c.Products, Replicas: c.Replicas, SweepEvery: c.SweepEvery, Park: c.Park, AckWait: c.AckWait,
	}, correlator.New)
}
