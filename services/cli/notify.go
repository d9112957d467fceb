package cli

import (
	"fmt"
	"io"
	"os"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// NotifyCmd reports what came of a calculation.
type NotifyCmd struct {
	CorrelationID string `arg:"" name:"correlation-id" help:"The calculation's."`
	Token         string `required:"" help:"The token that was sent with the calculation."`
	Report        string `required:"" help:"File with the report as JSON; - = standard input." placeholder:"FILE"`
	Flags
}

// Run is called by kong.
func (n *NotifyCmd) Run(e *Env) error {
	report, err := n.read()
	if err != nil {
		return err
	}
	return e.client(func(c *client.Client) error {
		resp, err := c.Notify(e.Ctx, &scorev1.NotifyRequest{CorrelationId: n.CorrelationID, Token: n.Token, Report: report})
		if err != nil {
			return err
		}
		return e.print(resp, func() string {
			if resp.Duplicate {
				return "the report was stored before\n"
			}
			return "the report is stored\n"
		})
	})
}

func (n *NotifyCmd) read() (*scorev1.Report, error) {
	var data []byte
	var err error
	if n.Report == "-" {
		data, err = io.ReadAll(io.LimitReader(os.Stdin, wire.MaxRequest+1))
	} else {
		data, err = os.ReadFile(n.Report)
	}
	if err != nil {
		return nil, fmt.Errorf("--report: %w", err)
	}
	report := &scorev1.Report{}
	if err := wire.JSON.Unmarshal(data, report); err != nil {
		return nil, fmt.Errorf("--report: %w", err)
	}
	return report, nil
}
