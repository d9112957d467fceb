package adapter

import (
	"sync"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
)

// claims is what was seen of the claims of others. Whether the holder of one is alive cannot be told from when it was last renewed alone:
// while NATS is away nobody can renew anything, and clocks differ. So one must be seen for a while not to change.
type claims struct {
	mu   sync.Mutex
	seen map[correlation.ID]sighting
}

type sighting struct {
	renewed time.Time // by the broker's clock
	since   time.Time // when it was first seen like this
}

// abandoned says whether a claim that was renewed last at that time has been seen like this for as long as limit.
func (c *claims) abandoned(id correlation.ID, renewed, now time.Time, limit time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.seen[id]
	if ok && s.renewed.Equal(renewed) {
		return now.Sub(s.since) >= limit
	}
	for other, s := range c.seen { // few claims are ever seen by others, and most of them once
		if now.Sub(s.since) > 100*limit {
			delete(c.seen, other)
		}
	}
	c.seen[id] = sighting{renewed: renewed, since: now}
	return false
}
