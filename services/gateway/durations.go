package gateway

import (
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/product"
)

// durations is how long calculations take of late, by product: a moving average that begins with what the configuration expects.
type durations struct{ by map[string]*atomic.Int64 }

func newDurations(products product.Catalog) *durations {
	d := &durations{by: map[string]*atomic.Int64{}}
	for name, p := range products {
		d.by[name] = &atomic.Int64{}
		d.by[name].Store(int64(p.Expected))
	}
	return d
}

// took tells that a calculation took that long. Updates that meet may get lost; it is an estimate.
func (d *durations) took(product string, t time.Duration) {
	if a := d.by[product]; a != nil {
		old := a.Load()
		a.Store(old + (int64(t)-old)/8)
	}
}

// eta is how much longer a calculation will probably take.
func (d *durations) eta(product string, started, now time.Time) *durationpb.Duration {
	left := time.Second
	if a := d.by[product]; a != nil {
		left = max(time.Duration(a.Load())-now.Sub(started), left)
	}
	return durationpb.New(left.Truncate(100 * time.Millisecond))
}
