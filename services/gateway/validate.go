package gateway

import (
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/product"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// The limits of a request's fields.
const (
	defaultProduct   = "credit"
	maxCustomerID    = 256
	maxReference     = 256
	maxAttributes    = 32
	maxAttributeKey  = 64
	maxAttributeSize = 16 << 10
)

// validateRequest checks a request and fills in its defaults.
func validateRequest(r *scorev1.RequestScoreRequest, products product.Catalog) error {
	if err := validateCustomer(r.CustomerId); err != nil {
		return err
	}
	if err := validateProduct(&r.Product, products); err != nil {
		return err
	}
	for _, d := range []struct {
		field string
		value *durationpb.Duration
	}{{"wait", r.Wait}, {"max_age", r.MaxAge}, {"min_remaining", r.MinRemaining}} {
		if err := validateDuration(d.field, d.value); err != nil {
			return err
		}
	}
	switch {
	case r.MaxAge != nil && r.MaxAge.AsDuration() == 0:
		return fault.Invalid("max_age", "it is 0, which no score can meet; say refresh for a new one")
	case r.Refresh && r.OnlyIfCached:
		return fault.Invalid("refresh", "it contradicts only_if_cached")
	case len(r.ClientReference) > maxReference:
		return fault.Invalid("client_reference", "it has %d bytes; at most %d are allowed", len(r.ClientReference), maxReference)
	}
	return validateAttributes(r.Attributes)
}

func validateCustomer(id string) error {
	switch {
	case id == "":
		return fault.Invalid("customer_id", "it is required: 1 to %d bytes", maxCustomerID)
	case len(id) > maxCustomerID:
		return fault.Invalid("customer_id", "it has %d bytes; at most %d are allowed", len(id), maxCustomerID)
	case strings.ContainsFunc(id, unicode.IsControl):
		return fault.Invalid("customer_id", "it contains a control character")
	}
	return nil
}

func validateProduct(name *string, products product.Catalog) error {
	if *name == "" {
		*name = defaultProduct
	}
	if _, ok := products[*name]; !ok {
		return fault.Invalid("product", "there is no such product; there are: %s", strings.Join(products.Names(), ", "))
	}
	return nil
}

func validateDuration(field string, d *durationpb.Duration) error {
	switch {
	case d == nil:
		return nil
	case d.CheckValid() != nil:
		return fault.Invalid(field, "it is not a valid duration")
	case d.AsDuration() < 0:
		return fault.Invalid(field, "it is negative")
	}
	return nil
}

func validateAttributes(attributes map[string]string) error {
	if len(attributes) > maxAttributes {
		return fault.Invalid("attributes", "there are %d; at most %d are allowed", len(attributes), maxAttributes)
	}
	size := 0
	for k, v := range attributes {
		if k == "" || len(k) > maxAttributeKey {
			return fault.Invalid("attributes", "a name has %d bytes; 1 to %d are allowed", len(k), maxAttributeKey)
		}
		size += len(k) + len(v)
	}
	if size > maxAttributeSize {
		return fault.Invalid("attributes", "they have %d bytes in all; at most %d are allowed", size, maxAttributeSize)
	}
	return nil
}

// margin is how long before the end of its wait a request is answered PENDING, so that the answer arrives before the client gives up.
func margin(wait time.Duration) time.Duration { return min(wait/10, 250*time.Millisecond) }
