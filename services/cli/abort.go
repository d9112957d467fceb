package cli

import (
	"fmt"
	"time"

	"github.com/scoreflow/scoreflow/pkg/client"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// AbortCmd ends a calculation.
type AbortCmd struct {
	CorrelationID string `arg:"" name:"correlation-id" help:"The calculation's."`
	Reason        string `help:"Told to everyone who waits for it."`
	Flags
}

// Run is called by kong. Here a cancelled calculation is what was asked for.
func (a *AbortCmd) Run(e *Env) error {
	return e.client(func(c *client.Client) error {
		answer, err := c.Abort(e.Ctx, &scorev1.AbortRequest{CorrelationId: a.CorrelationID, Reason: a.Reason})
		if err != nil {
			return err
		}
		if err := e.print(answer, func() string { return answerText(answer, time.Now()) }); err != nil {
			return err
		}
		switch answer.Status {
		case scorev1.Status_CANCELLED:
			return nil
		case scorev1.Status_PENDING:
			return outcome(answer)
		}
		return fmt.Errorf("it had ended already, as %v", answer.Status)
	})
}
