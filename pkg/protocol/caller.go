package protocol

import (
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/score"
)

// CallerStep is what a Caller does next.
type CallerStep int

// The steps of a Caller. The last four end it.
const (
	LookAtScore  CallerStep = iota // read the record, from any replica; then SawScore
	Start                          // publish the calculation, only if its subject is empty, and never stored twice; then Started
	ReadFirst                      // read the first of the subject, from any replica; then SawFirst
	Queue                          // publish the calculation as the last of its subject, never stored twice; then Queued
	ReadLast                       // read the last of the subject, from the leader; then SawLast
	ReadFirstNow                   // read the first of the subject, from the leader; then SawFirstNow

	Serve        // answer with the score seen last
	ServeFailure // answer with the failure seen last
	Refuse       // nothing satisfies, and nothing may be calculated
	Promise      // answer with, or wait for, the calculation Promised
)

// Caller is the gateway's part, for one request. It is a value: a copy is another caller in the same state.
type Caller struct {
	id       correlation.ID
	wishes   score.Wishes
	received time.Time
	only     bool

	step     CallerStep
	last     Calculation
	promised Promised
}

// Promised is a calculation whose result a caller was promised.
type Promised struct {
	ID      correlation.ID
	Started time.Time
	Joined  bool // someone else started it
	Queued  bool // it was put, or seen, behind another one
}

// NewCaller begins a request that was received at that moment. id names the calculation that it starts, should it start one. only asks
// never to calculate.
func NewCaller(id correlation.ID, wishes score.Wishes, only bool, received time.Time) Caller {
	return Caller{id: id, wishes: wishes, only: only, received: received}
}

// Step is what to do next.
func (c *Caller) Step() CallerStep { return c.step }

// Promised is the calculation that step Promise speaks of.
func (c *Caller) Promised() Promised { return c.promised }

// SawScore tells the record.
func (c *Caller) SawScore(r score.Record) {
	switch v := score.Decide(r, c.wishes, c.received); {
	case v == score.Ready:
		c.step = Serve
	case c.only:
		c.step = Refuse
	case v == score.Failed:
		c.step = ServeFailure
	default:
		c.step = Start
	}
}

// Started tells whether the calculation was stored.
func (c *Caller) Started(stored bool) {
	c.step = ReadFirst
	if stored {
		c.promise(c.own(false))
	}
}

// SawFirst tells the first of the subject after a refused start.
func (c *Caller) SawFirst(first Calculation) {
	switch {
	case !first.Found(): // it has ended meanwhile: its score is there
		c.step = LookAtScore
	case first.ID == c.id: // it was stored after all, and the answer was lost
		c.promise(c.own(false))
	case c.wishes.Joins(first.CreatedAt, c.received):
		c.promise(Promised{ID: first.ID, Started: first.CreatedAt, Joined: true})
	default: // it may have begun before the request came
		c.step = Queue
	}
}

// Queued tells whether the calculation was stored behind the first.
func (c *Caller) Queued(stored bool) {
	c.step = ReadLast
	if stored {
		c.promise(c.own(true))
	}
}

// SawLast tells the last of the subject after it was refused to queue: two were there, and the second had not begun.
func (c *Caller) SawLast(last Calculation) {
	c.last, c.step = last, ReadFirstNow
	switch {
	case !last.Found():
		c.step = LookAtScore
	case last.ID == c.id:
		c.promise(c.own(true))
	}
}

// SawFirstNow tells the first of the subject, read after the last: only what still has another one before it has surely not begun when the
// request came.
func (c *Caller) SawFirstNow(first Calculation) {
	last := c.last
	c.last, c.step = Calculation{}, LookAtScore
	if first.Found() && first.Sequence < last.Sequence {
		c.promise(Promised{ID: last.ID, Started: last.CreatedAt, Joined: true, Queued: true})
	}
}

func (c *Caller) own(queued bool) Promised {
	return Promised{ID: c.id, Started: c.received, Queued: queued}
}

func (c *Caller) promise(p Promised) {
	c.promised, c.step = p, Promise
}
