// Package product is the configuration that all services of a suite share: which products there are, how long a calculation may take and
// a score be served, and which backend calculates it.
package product

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
)

// Catalog is the products by name.
type Catalog map[string]Product

// Product is the policy of one product. Zero values mean the default.
type Product struct {
	Deadline        time.Duration `yaml:"deadline"`          // a calculation ends by then, whatever happens; default 5m
	Expected        time.Duration `yaml:"expected"`          // how long one usually takes; the first ETA; default 5s
	Validity        time.Duration `yaml:"validity"`          // of a score whose backend does not say; default 24h
	NoScoreValidity time.Duration `yaml:"no_score_validity"` // the same for an outcome without a value; default 1h
	FailureMemo     time.Duration `yaml:"failure_memo"`      // how long a failure answers further requests; default 5s
	Backend         Backend       `yaml:"backend"`
}

// The kinds of backend.
const (
	HTTP         = "http"          // one call; the answer is the report
	HTTPCallback = "http-callback" // the call only hands over; the backend notifies when it is done
)

// What a backend promises of a call that is repeated with the same correlation ID.
const (
	Idempotent = "idempotent"   // it is the same call: it may be repeated
	AtMostOnce = "at-most-once" // it may cost twice: never repeated once it may have been sent
)

// Backend is how a product's backend is called.
type Backend struct {
	Kind        string `yaml:"kind"`        // http or http-callback
	URL         string `yaml:"url"`         // POST goes there
	Call        string `yaml:"call"`        // idempotent or at-most-once; default idempotent
	Concurrency int    `yaml:"concurrency"` // calls at once of one adapter; default 16
	Attempts    int    `yaml:"attempts"`    // tries of one call, the first included; default 4
}

// WithDefaults fills in what is not set.
func (c Catalog) WithDefaults() Catalog {
	out := make(Catalog, len(c))
	for name, p := range c {
		out[name] = p.withDefaults()
	}
	return out
}

// Policy is the policy of a product, and that of a product without settings when it is not in the catalog.
func (c Catalog) Policy(name string) Product { return c[name].withDefaults() }

func (p Product) withDefaults() Product {
	p.Deadline = or(p.Deadline, 5*time.Minute)
	p.Expected = or(p.Expected, 5*time.Second)
	p.Validity = or(p.Validity, 24*time.Hour)
	p.NoScoreValidity = or(p.NoScoreValidity, time.Hour)
	p.FailureMemo = or(p.FailureMemo, 5*time.Second)
	p.Backend.Call = or(p.Backend.Call, Idempotent)
	p.Backend.Concurrency = or(p.Backend.Concurrency, 16)
	p.Backend.Attempts = or(p.Backend.Attempts, 4)
	return p
}

// Validate names the first setting that cannot be.
func (c Catalog) Validate() error {
	if len(c) == 0 {
		return fmt.Errorf("products: there is none")
	}
	for _, name := range c.Names() {
		if err := c[name].validate(); err != nil {
			return fmt.Errorf("products.%s.%w", name, err)
		}
		if !correlation.ValidProduct(name) {
			return fmt.Errorf("products: %q is not a product name: it is 1 to 32 of a-z, 0-9 and -", name)
		}
	}
	return nil
}

// Names is the products' names in order.
func (c Catalog) Names() []string {
	names := make([]string, 0, len(c))
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (p Product) validate() error {
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"deadline", p.Deadline},
		{"expected", p.Expected},
		{"validity", p.Validity},
		{"no_score_validity", p.NoScoreValidity},
		{"failure_memo", p.FailureMemo},
	} {
		if d.value <= 0 {
			return fmt.Errorf("%s: %v is not a positive duration", d.field, d.value)
		}
	}
	b := p.Backend
	if !slices.Contains([]string{HTTP, HTTPCallback}, b.Kind) {
		return fmt.Errorf("backend.kind: %q is neither %s nor %s", b.Kind, HTTP, HTTPCallback)
	}
	u, err := url.Parse(b.URL)
	if err != nil || u.Host == "" || !strings.HasPrefix(u.Scheme, "http") {
		return fmt.Errorf("backend.url: %q is not an http or https URL", b.URL)
	}
	if !slices.Contains([]string{Idempotent, AtMostOnce}, b.Call) {
		return fmt.Errorf("backend.call: %q is neither %s nor %s", b.Call, Idempotent, AtMostOnce)
	}
	if b.Concurrency < 1 {
		return fmt.Errorf("backend.concurrency: %d is less than 1", b.Concurrency)
	}
	if b.Attempts < 1 {
		return fmt.Errorf("backend.attempts: %d is less than 1", b.Attempts)
	}
	return nil
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
