// scoreflow is the suite for the command line: everything in one process for trying and testing, the demo backend, and a client.
package main

import (
	"github.com/alecthomas/kong"

	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/services/cli"
)

func main() {
	daemon.Main("scoreflow", "Scores of customers over NATS: ask for them, or run the suite that answers.", &grammar{},
		kong.Vars{"log_format": "console"})
}

type grammar struct {
	Dev  devCommand  `cmd:"" help:"Run everything in this process, on a NATS server of its own."`
	Demo demoCommand `cmd:"" help:"Run the demo backend alone."`
	cli.Commands
}
