package httpbridge

import (
	"slices"
	"sync"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/correlation"
)

// What is kept in memory of the results that came last.
const (
	recentResults = 4096
	recentBytes   = 16 << 20
)

// recent is the results that came last, for all who are connected here: one consumer feeds it. Those who wait for one result are told of
// it. Those who follow all of them have nothing here but their own place in the stream: they read on when there is more, and read from
// the stream what is here no longer.
type recent struct {
	mu      sync.Mutex
	base    uint64 // the sequence before the first that is kept here
	last    uint64
	entries []client.Result
	bytes   int
	byID    map[correlation.ID]uint64
	waiters map[correlation.ID][]*waiter
	more    chan struct{} // closed when something comes
}

// waiter is told one result.
type waiter struct {
	id   correlation.ID
	told chan client.Result // has room for it
}

// newRecent begins after a sequence.
func newRecent(last uint64) *recent {
	return &recent{
		base: last, last: last, byID: map[correlation.ID]uint64{}, waiters: map[correlation.ID][]*waiter{}, more: make(chan struct{}),
	}
}

// add takes in the next result.
func (c *recent) add(r client.Result) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Sequence <= c.last {
		return
	}
	c.last = r.Sequence
	c.entries = append(c.entries, r)
	c.bytes += len(r.Document)
	c.byID[r.ID] = r.Sequence
	for len(c.entries) > recentResults || c.bytes > recentBytes {
		oldest := c.entries[0]
		c.entries[0] = client.Result{}
		c.entries = c.entries[1:]
		c.bytes -= len(oldest.Document)
		c.base = oldest.Sequence
		if c.byID[oldest.ID] == oldest.Sequence {
			delete(c.byID, oldest.ID)
		}
	}
	for _, w := range c.waiters[r.ID] {
		w.told <- r
	}
	delete(c.waiters, r.ID)
	close(c.more)
	c.more = make(chan struct{})
}

// wait has a waiter told the result of a calculation: at once, when it is here already. Whoever asks for the state after it has called wait
// cannot miss the result.
func (c *recent) wait(id correlation.ID) *waiter {
	w := &waiter{id: id, told: make(chan client.Result, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	if sequence, ok := c.byID[id]; ok {
		w.told <- c.entries[c.place(sequence)]
		return w
	}
	c.waiters[id] = append(c.waiters[id], w)
	return w
}

// forget takes out a waiter, told or not.
func (c *recent) forget(w *waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := slices.DeleteFunc(c.waiters[w.id], func(other *waiter) bool { return other == w })
	if c.waiters[w.id] = left; len(left) == 0 {
		delete(c.waiters, w.id)
	}
}

// after is at most n results after a place, and where memory begins: what lies between the place and base is not here. more is closed
// when there is more.
func (c *recent) after(place uint64, n int) (results []client.Result, base uint64, more <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	rest := c.entries[c.place(place+1):]
	return slices.Clone(rest[:min(n, len(rest))]), c.base, c.more
}

// newest is the place after the last result.
func (c *recent) newest() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// place is the index of the first entry from a sequence on.
func (c *recent) place(sequence uint64) int {
	i, _ := slices.BinarySearchFunc(c.entries, sequence, func(r client.Result, s uint64) int {
		switch {
		case r.Sequence < s:
			return -1
		case r.Sequence > s:
			return 1
		}
		return 0
	})
	return i
}
