package gateway

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/store"
)

// cache keeps records in memory, kept true by the watch of the bucket. A record that was read must not replace what the watch has already
// told to be newer, though the watch came first: because the read was under way, or was answered by a replica that is behind. So the
// cache remembers for a while which revision it heard of lately, in a table of fixed size; keys that share a place there only keep each
// other out of the cache for that while.
type cache struct {
	records *otter.Cache[correlation.Key, *cached]
	seed    maphash.Seed
	mu      sync.Mutex
	heard   [1 << 14]heard
}

type heard struct {
	revision uint64
	until    time.Time
}

// cached is a record and, prepared once, the answer that it gives.
type cached struct {
	store.Record
	answer prepared // of nothing, when there is no score
}

// hearsay is how long a replica may be behind.
const hearsay = 30 * time.Second

// overhead is what a cached record takes besides its prepared answer, about.
const overhead = 1 << 10

func newCache(bytes int64) (*cache, error) {
	records, err := otter.New(&otter.Options[correlation.Key, *cached]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(_ correlation.Key, c *cached) uint32 { return overhead + c.answer.size() },
	})
	if err != nil {
		return nil, err
	}
	return &cache{records: records, seed: maphash.MakeSeed()}, nil
}

// get is the cached record of a key.
func (c *cache) get(key correlation.Key) (*cached, bool) { return c.records.GetIfPresent(key) }

// read keeps a record that was read, unless something newer was heard of.
func (c *cache) read(key correlation.Key, r store.Record) *cached {
	entry := newCached(key, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.place(key)
	if r.HasScore() && (h.revision <= r.Revision || time.Now().After(h.until)) {
		c.records.Set(key, entry)
	}
	return entry
}

// changed keeps what the watch tells.
func (c *cache) changed(key correlation.Key, r store.Record) {
	entry := newCached(key, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	*c.place(key) = heard{r.Revision, time.Now().Add(hearsay)}
	if r.HasScore() {
		c.records.Set(key, entry)
	} else {
		c.records.Invalidate(key)
	}
}

// reset forgets everything.
func (c *cache) reset() { c.records.InvalidateAll() }

func (c *cache) place(key correlation.Key) *heard {
	return &c.heard[maphash.String(c.seed, key.Token)%uint64(len(c.heard))]
}

func newCached(key correlation.Key, r store.Record) *cached {
	entry := &cached{Record: r}
	if r.HasScore() {
		entry.answer.Answer = ready(key.Product, r)
	}
	return entry
}
