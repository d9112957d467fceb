package cli

import (
	"context"
	"errors"

	"github.com/scoreflow/scoreflow/pkg/client"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// WatchCmd waits for the end of a calculation.
type WatchCmd struct {
	CorrelationID string `arg:"" name:"correlation-id" help:"The calculation's."`
	Flags
}

// Run is called by kong. It looks first: so a mistake is told at once, and so is what has ended already.
func (w *WatchCmd) Run(e *Env) error {
	return e.answer(func(c *client.Client) (*scorev1.Answer, error) {
		answer, err := c.Fetch(e.Ctx, &scorev1.FetchScoreRequest{CorrelationId: w.CorrelationID})
		if err != nil || answer.Status != scorev1.Status_PENDING {
			return answer, err
		}
		return e.await(e.Ctx, c, answer)
	})
}

// await waits for the end of a calculation and tells meanwhile that it does. When ctx ends first, the answer is what there is then.
func (e *Env) await(ctx context.Context, c *client.Client, pending *scorev1.Answer) (*scorev1.Answer, error) {
	stop := e.progress(pending)
	answer, err := c.Watch(ctx, pending.CorrelationId)
	stop()
	if ctx.Err() != nil && err != nil {
		if e.Ctx.Err() != nil {
			return nil, exit{errors.New("interrupted; the calculation goes on; to wait for it: scoreflow watch " + pending.CorrelationId), exitPending}
		}
		answer, err = c.Fetch(e.Ctx, &scorev1.FetchScoreRequest{CorrelationId: pending.CorrelationId})
	}
	if err != nil {
		return nil, err
	}
	answer.Cache, answer.ClientReference = pending.Cache, pending.ClientReference // what only the request's own answer says
	return answer, nil
}
