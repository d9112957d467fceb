package cli

import (
	"errors"
	"time"

	"github.com/scoreflow/scoreflow/pkg/client"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// FetchCmd looks at what there is.
type FetchCmd struct {
	CorrelationID string         `arg:"" optional:"" name:"correlation-id" help:"The calculation's; or else --customer."`
	Customer      string         `help:"The customer's ID."`
	Product       string         `help:"Which score of the customer; credit when it is not said."`
	Wait          *time.Duration `help:"How long to wait for a calculation in progress; the gateway has a limit." placeholder:"30s"`
	Flags
}

// Validate is called by kong.
func (f *FetchCmd) Validate() error {
	switch {
	case (f.CorrelationID == "") == (f.Customer == ""):
		return errors.New("either a correlation ID or --customer is needed")
	case f.CorrelationID != "" && f.Product != "":
		return errors.New("--product: it is only for --customer")
	}
	return notNegative(f.Wait)
}

// Run is called by kong.
func (f *FetchCmd) Run(e *Env) error {
	return e.answer(func(c *client.Client) (*scorev1.Answer, error) {
		return c.Fetch(e.Ctx, &scorev1.FetchScoreRequest{
			CorrelationId: f.CorrelationID, CustomerId: f.Customer, Product: f.Product, Wait: duration(f.Wait),
		})
	})
}
