package demo

import (
	"sync"
	"time"
)

// memory is what is known of the correlation IDs called last. Older ones are forgotten, so that it stays bounded.
type memory struct {
	mu      sync.Mutex
	entries map[string]*entry
	ring    []string // the correlation IDs in order of their first call, from next on
	next    int
}

// entry is one calculation. Its fields are memory's to guard.
type entry struct {
	calls     int
	began     time.Time // of the first call that was not failed on purpose
	callback  *callback // the one given last
	notifying bool      // somebody will notify
}

func newMemory(most int) *memory {
	return &memory{entries: make(map[string]*entry), ring: make([]string, most)}
}

// called counts a call and says which one of this correlation ID it is, from 1.
func (m *memory) called(cid string) (*entry, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[cid]
	if e == nil {
		e = new(entry)
		delete(m.entries, m.ring[m.next])
		m.entries[cid], m.ring[m.next] = e, cid
		m.next = (m.next + 1) % len(m.ring)
	}
	e.calls++
	return e, e.calls
}

// begin is when the calculation began: now, unless it had.
func (m *memory) begin(e *entry, now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.began.IsZero() {
		e.began = now
	}
	return e.began
}

// handOver keeps whom to notify, and says whether the caller must see to it: false when somebody does already.
func (m *memory) handOver(e *entry, to *callback) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.callback = to
	must := !e.notifying
	e.notifying = true
	return must
}

// whom is whom to notify now.
func (m *memory) whom(e *entry) *callback {
	m.mu.Lock()
	defer m.mu.Unlock()
	return e.callback
}

// notified ends what handOver began.
func (m *memory) notified(e *entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.notifying = false
}

func (m *memory) counts() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := make(map[string]int, len(m.entries))
	for cid, e := range m.entries {
		counts[cid] = e.calls
	}
	return counts
}
