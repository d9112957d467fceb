package gateway

import (
	"sync"
	"time"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// waiter is a request that waits for a result. It holds a timer and no goroutine.
type waiter struct {
	req      *bus.Request
	id       correlation.ID
	product  string
	customer string
	own      scorev1.Cache // unspecified for a fetch
	ref      string
	state    scorev1.State
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
type waiting struct {
	mu   sync.Mutex
	most int
	n    int
	by   map[correlation.ID][]*waiter
}

func newWaiting(most int) *waiting {
	return &waiting{most: most, by: map[correlation.ID][]*waiter{}}
}

// add has w listen for the result of w.id. False when it has no time, or there is no room, to wait.
func (ws *waiting) add(w *waiter) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.n >= ws.most || !time.Now().Before(w.until) {
		return false
	}
	ws.n++
	w.place = len(ws.by[w.id])
	ws.by[w.id] = append(ws.by[w.id], w)
	return true
}

// arm has late get w when w.until comes before the result. Only then may it be told the correlation ID, so only what is durable is armed.
func (ws *waiting) arm(w *waiter, state scorev1.State, late func(*waiter)) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if !ws.holds(w) { // the result came first
		return
	}
	w.state = state
	w.timer = time.AfterFunc(time.Until(w.until), func() {
		if ws.remove(w) {
			late(w)
		}
	})
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
	all := ws.by[w.id]
	last := len(all) - 1
	all[last].place, all[w.place] = w.place, all[last]
	all[last] = nil
	if ws.by[w.id] = all[:last]; last == 0 {
		delete(ws.by, w.id)
	}
	return true
}

func (ws *waiting) holds(w *waiter) bool {
	all := ws.by[w.id]
	return w.place < len(all) && all[w.place] == w
}

// take takes out all that wait for a calculation.
func (ws *waiting) take(id correlation.ID) []*waiter {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	all := ws.by[id]
	delete(ws.by, id)
	ws.n -= len(all)
	for _, w := range all {
		w.disarm()
	}
	return all
}

// drain takes out all, and lets nobody wait any more.
func (ws *waiting) drain() []*waiter {
	ws.mu.Lock()
	ids := make([]correlation.ID, 0, len(ws.by))
	for id := range ws.by {
		ids = append(ids, id)
	}
	ws.most = 0
	ws.mu.Unlock()
	var all []*waiter
	for _, id := range ids {
		all = append(all, ws.take(id)...)
	}
	return all
}
