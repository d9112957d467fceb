package cli

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/client"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// RequestCmd asks for a score.
type RequestCmd struct {
	Customer     string            `arg:"" help:"The customer's ID."`
	Product      string            `help:"Which score; credit when it is not said."`
	Wait         *time.Duration    `help:"How long to wait; 0s = not at all. Until it is there, when it is not said." placeholder:"30s"`
	MaxAge       *time.Duration    `help:"The score must not be older." placeholder:"24h"`
	MinRemaining *time.Duration    `help:"The score must stay valid for so long." placeholder:"1h"`
	Refresh      bool              `help:"Only a score whose calculation begins after this request will do."`
	OnlyIfCached bool              `help:"Never calculate."`
	Attribute    map[string]string `help:"For the backend; may be repeated." placeholder:"KEY=VALUE" mapsep:"none"`
	Reference    string            `help:"A reference of your own, told in the answer."`
	Flags
}

// Validate is called by kong.
func (r *RequestCmd) Validate() error { return notNegative(r.Wait) }

// Run is called by kong. The request itself does not wait: so the correlation ID is known at once.
func (r *RequestCmd) Run(e *Env) error {
	ctx, cancel := within(e.Ctx, r.Wait)
	defer cancel()
	return e.answer(func(c *client.Client) (*scorev1.Answer, error) {
		answer, err := c.Request(e.Ctx, &scorev1.RequestScoreRequest{
			CustomerId: r.Customer, Product: r.Product, MaxAge: duration(r.MaxAge), MinRemaining: duration(r.MinRemaining),
			Refresh: r.Refresh, OnlyIfCached: r.OnlyIfCached, Attributes: r.Attribute, ClientReference: r.Reference,
		})
		if err != nil || answer.Status != scorev1.Status_PENDING || r.Wait != nil && *r.Wait == 0 {
			return answer, err
		}
		return e.await(ctx, c, answer)
	})
}

// within is ctx, for as long as one waits.
func within(ctx context.Context, wait *time.Duration) (context.Context, context.CancelFunc) {
	if wait == nil {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, *wait)
}

func notNegative(wait *time.Duration) error {
	if wait != nil && *wait < 0 {
		return fmt.Errorf("--wait: %v is negative", *wait)
	}
	return nil
}

func duration(d *time.Duration) *durationpb.Duration {
	if d == nil {
		return nil
	}
	return durationpb.New(*d)
}
