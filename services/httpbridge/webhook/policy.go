package webhook

import (
	"math/rand/v2"
	"time"
)

// Policy is when an attempt is repeated, and how long an endpoint is left alone that asks for it.
type Policy struct {
	Delays  []time.Duration // before each attempt, counted from the one before; there are as many attempts as delays
	Jitter  float64         // the part of a delay that is added to it at random, at most
	Hold    time.Duration   // how long an endpoint is left alone that is overloaded and does not say for how long
	Longest time.Duration   // that an endpoint may ask to be left alone
}

// StandardPolicy is the schedule that Standard Webhooks 1.0.0 recommends: ten attempts within 76 hours.
func StandardPolicy() Policy {
	return Policy{
		Delays: []time.Duration{
			0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
			5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
		},
		Jitter:  0.1,
		Hold:    5 * time.Second,
		Longest: 24 * time.Hour,
	}
}

// next is how long to wait after so many failed attempts; false when there is none left. An endpoint that asks for more gets more.
func (p Policy) next(failed int, asked time.Duration) (time.Duration, bool) {
	if failed >= len(p.Delays) {
		return 0, false
	}
	return max(p.spread(p.Delays[failed]), min(asked, p.Longest)), true
}

// hold is how long to leave an endpoint alone.
func (p Policy) hold(asked time.Duration) time.Duration {
	if asked == 0 {
		asked = p.Hold
	}
	return min(asked, p.Longest)
}

// spread adds jitter to a delay.
func (p Policy) spread(d time.Duration) time.Duration {
	return d + rand.N(time.Duration(p.Jitter*float64(d))+1)
}
