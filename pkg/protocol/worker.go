package protocol

import (
	"time"

	"github.com/scoreflow/scoreflow/pkg/score"
)

// WorkerStep is what a Worker does next.
type WorkerStep int

// The steps of a Worker. The last three end it.
const (
	CheckTurn       WorkerStep = iota // read the first of the subject, from the leader; then SawTurn
	CheckSettled                      // read the completion and, after it, the result, from the leader; then SawSettled
	LookAgain                         // read the record, from the leader; then SawScore
	Claim                             // claim the call; then Claimed
	SetTimer                          // store the deadline; then TimerSet
	Call                              // call the backend; then Called
	Complete                          // store the completion, of what the backend reported; again while another waits there to be settled
	CompleteReused                    // store the completion: of the score seen
	CompleteUnknown                   // store the completion: it is not known what came of the call

	Ack     // acknowledge the work item
	PutBack // have it delivered again later
)

// Work is what a Worker needs of its work item.
type Work struct {
	Calculation
	Wishes      score.Wishes
	Queued      bool // it was placed behind another one
	NeverReuse  bool
	Redelivered bool // perhaps another worker had it before
	AtMostOnce  bool // its backend must not be called twice
	Callback    bool // its backend notifies
}

// Worker is the adapter's part, for one delivery of one work item. It is a value.
type Worker struct {
	work Work
	step WorkerStep
}

// NewWorker begins with a delivery. That moment, or that of SawTurn where the turn is checked, is when the work counts as begun: before any
// other look, so that whatever comes of a call that is stuck seems older than the calculations that follow.
func NewWorker(w Work) Worker {
	m := Worker{work: w}
	m.step = m.from(CheckTurn)
	return m
}

// Step is what to do next.
func (m *Worker) Step() WorkerStep { return m.step }

// SawTurn tells the first of the subject.
func (m *Worker) SawTurn(first Calculation) {
	switch {
	case first.Sequence == m.work.Sequence:
		m.step = m.from(CheckSettled)
	case first.Sequence > m.work.Sequence || !first.Found(): // it was released
		m.step = Ack
	default:
		m.step = PutBack
	}
}

// SawSettled tells whether a completion or a result of the calculation is stored.
func (m *Worker) SawSettled(settled bool) {
	m.step = m.from(LookAgain)
	if settled {
		m.step = Ack
	}
}

// SawScore tells the record. now is the moment of the look.
func (m *Worker) SawScore(r score.Record, now time.Time) {
	switch {
	case r.FailedID == m.work.ID: // another delivery of it has come to its end
		m.step = Ack
	case r.ID == m.work.ID || r.Reusable(m.work.Wishes, m.work.CreatedAt, now):
		m.step = CompleteReused
	default:
		m.step = m.from(Claim)
	}
}

// Claimed tells whether the claim is this worker's own, and else whether its holder still renews it.
func (m *Worker) Claimed(own, alive bool) {
	switch {
	case own:
		m.step = m.from(SetTimer)
	case alive:
		m.step = PutBack
	case m.work.Callback: // the notification or the timer will end it
		m.step = Ack
	default:
		m.step = CompleteUnknown
	}
}

// TimerSet tells that the deadline is stored.
func (m *Worker) TimerSet() { m.step = Call }

// Called tells that the backend reported, or that it was handed the calculation and will notify.
func (m *Worker) Called(reported bool) {
	m.step = Ack
	if reported {
		m.step = Complete
	}
}

// Completed tells that a completion is stored: this one, the same, or, unless a backend's answer would be lost, another.
func (m *Worker) Completed() { m.step = Ack }

// from is the first step at or after s that this work needs.
func (m *Worker) from(s WorkerStep) WorkerStep {
	for !m.needs(s) {
		s++
	}
	return s
}

func (m *Worker) needs(s WorkerStep) bool {
	switch s {
	case CheckTurn:
		return m.work.Queued
	case CheckSettled:
		return m.work.Redelivered
	case LookAgain:
		return !m.work.NeverReuse
	case Claim:
		return m.work.AtMostOnce
	case SetTimer:
		return m.work.Callback
	}
	return true
}
