package gateway

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/score"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// waiter is a request that waits for a result. It holds a timer and no goroutine.
type waiter struct {
	req      *bus.Request
	id       correlation.ID
	key      correlation.Key
	customer string
	own      scorev1.Cache // unspecified for a fetch
	ref      string
	queued   bool      // the calculation waits behind another
	started  time.Time // the calculation
	until    time.Time
	timer    *time.Timer // nil until it is armed
	place    int         // among those who wait for id
}

func (w *waiter) disarm() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// waiting is the requests that wait, by the calculation they wait for. Whoever takes a waiter out answers it; so it is answered once.
//
// While anybody waits for a key's calculation, others may join it here, without asking the broker who runs: the calculation was stored, and
// its result has not passed here yet. So however many ask for one customer at once, the broker is asked a few times.
type waiting struct {
	mu   sync.Mutex
	most int
	n    int
	by   map[correlation.ID]*calculation
	runs map[correlation.Key]*calculation // those that may be joined
}

// calculation is one that somebody waits for.
type calculation struct {
	protocol.Promised
	key     correlation.Key
	waiters []*waiter
}

func newWaiting(most int) *waiting {
	return &waiting{most: most, by: map[correlation.ID]*calculation{}, runs: map[correlation.Key]*calculation{}}
}

// add has w listen for the result of w.id. False when it has no time, or there is no room, to wait.
func (ws *waiting) add(w *waiter) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	c := ws.by[w.id]
	if c == nil {
		c = &calculation{}
	}
	return ws.listen(w, c)
}

func (ws *waiting) listen(w *waiter, c *calculation) bool {
	if ws.n >= ws.most || !time.Now().Before(w.until) {
		return false
	}
	ws.n++
	ws.by[w.id] = c
	w.place = len(c.waiters)
	c.waiters = append(c.waiters, w)
	return true
}

// arm has late get w when w.until comes before the result. Only then may it be told the correlation ID, so only what is durable is armed.
func (ws *waiting) arm(w *waiter, p protocol.Promised, late func(*waiter)) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.holds(w) { // else the result came first
		ws.start(w, p, late)
	}
}

// open lets others join a calculation that somebody waits for and whose result is surely still to come. One that waits behind another is not
// for everybody; nor is one without key.
func (ws *waiting) open(key correlation.Key, p protocol.Promised) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if c := ws.by[p.ID]; c != nil && key != (correlation.Key{}) && !p.Queued && ws.runs[key] == nil {
		c.Promised, c.key = p, key
		ws.runs[key] = c
	}
}

func (ws *waiting) start(w *waiter, p protocol.Promised, late func(*waiter)) {
	w.started, w.queued = p.Started, p.Queued
	w.timer = time.AfterFunc(time.Until(w.until), func() {
		if ws.remove(w) {
			late(w)
		}
	})
}

// join has w wait for the calculation of the key that somebody waits for already; false when there is none that its wishes allow.
func (ws *waiting) join(w *waiter, key correlation.Key, wishes score.Wishes, received time.Time, late func(*waiter)) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	c := ws.runs[key]
	if c == nil || !wishes.Joins(c.Started, received) {
		return false
	}
	w.id = c.ID
	if !ws.listen(w, c) {
		return false
	}
	ws.start(w, c.Promised, late)
	return true
}

// remove takes w out; false when somebody else did.
func (ws *waiting) remove(w *waiter) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if !ws.holds(w) {
		return false
	}
	w.disarm()
	ws.n--
	c := ws.by[w.id]
	last := len(c.waiters) - 1
	c.waiters[last].place, c.waiters[w.place] = w.place, c.waiters[last]
	c.waiters[last] = nil
	if c.waiters = c.waiters[:last]; last == 0 {
		ws.drop(w.id, c)
	}
	return true
}

func (ws *waiting) holds(w *waiter) bool {
	c := ws.by[w.id]
	return c != nil && w.place < len(c.waiters) && c.waiters[w.place] == w
}

func (ws *waiting) drop(id correlation.ID, c *calculation) {
	delete(ws.by, id)
	if ws.runs[c.key] == c {
		delete(ws.runs, c.key)
	}
}

// take takes out all that wait for a calculation.
func (ws *waiting) take(id correlation.ID) []*waiter {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	c := ws.by[id]
	if c == nil {
		return nil
	}
	ws.drop(id, c)
	ws.n -= len(c.waiters)
	for _, w := range c.waiters {
		w.disarm()
	}
	return c.waiters
}

// drain takes out all, and lets nobody wait any more.
func (ws *waiting) drain() []*waiter {
	ws.mu.Lock()
	ids := slices.Collect(maps.Keys(ws.by))
	ws.most = 0
	ws.mu.Unlock()
	var all []*waiter
	for _, id := range ids {
		all = append(all, ws.take(id)...)
	}
	return all
}
