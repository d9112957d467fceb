// Package protocol is the way of a calculation as three small state machines, one for each service: the Caller of the gateway, the Worker of
// the adapter and the Settler of the correlator. Each tells the next step and is told what came of it; the services do the steps on the
// broker, and the tests of this package do them on a model of it, in every order, with crashes, redelivery and stale reads.
//
// The subject of a key holds at most two calculations: the first runs, the second waits. That message is the lock and the work item.
//
//	Caller   look at the score -> start, only if nothing is there -> refused? join the one that is there; or, when only a score
//	         calculated from now on will do, become the second -> refused? join the second
//	Worker   only the first of the subject -> settled already? -> look at the score again -> call the backend -> complete -> ack
//	Settler  put the score -> commit the result, only if there is none -> release the calculation -> ack
//
// Safety: starting is a compare-and-set, so at most one calculation runs for a key, and only the first of its subject is run. A result is a
// compare-and-set too, so there is one for each correlation ID. The score is put before the result is announced, and the calculation is
// released after both; so whoever is refused and reads the calculation holds an ID whose result is still to come or already there. A record
// is only put over the one that was seen, and one that began later stands: nothing old comes back, however late it is settled.
//
// Liveness: every step may be repeated. A worker or settler that dies leaves its message to redelivery; a caller that dies leaves a
// calculation that anyone joins. A calculation whose message was acknowledged and lost all else ends by its deadline.
//
// Freshness: a calculation that was placed second never reuses a score, because anyone may join it until it begins, also those who came after
// the score that it might reuse. One that was started may end with a score that is older than itself, but by no more than score.Overlap, and
// whoever has a max_age reckons with that before joining. Only what has surely not begun is joined by those who want a new score.
//
// The tests leave out each of these rules in turn, and find what goes wrong then.
package protocol

import (
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
)

// Calculation is what the machines need of a calculation's message.
type Calculation struct {
	ID        correlation.ID
	Sequence  uint64
	CreatedAt time.Time
}

// Found says whether there is one; the zero Calculation is that of an empty subject.
func (c Calculation) Found() bool { return c.Sequence != 0 }
