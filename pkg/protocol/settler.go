package protocol

import (
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/score"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// SettlerStep is what a Settler does next.
type SettlerStep int

// The steps of a Settler. The last two end it.
const (
	FindCalculation SettlerStep = iota // read the calculation by its sequence, from the leader; then Found
	ReadRecord                         // read the record, from the leader; then SawRecord
	PutRecord                          // put score or failure, only if the record has Revision; then Put
	Commit                             // commit the result, only if there is none; then Committed
	ReadResult                         // read the result, from the leader; then SawResult
	Bury                               // store a dead letter; then Buried
	Release                            // delete the calculation by its sequence; then Released

	Done // acknowledge the completion
	Park // have it delivered again later
)

// End is how a calculation ended.
type End int

// The ends.
const (
	Scored End = iota
	Failed
	Cancelled
	Reused // an existing score satisfied it
)

// Ending is what a Settler needs of a completion.
type Ending struct {
	ID      correlation.ID
	End     End
	Code    scorev1.Code // of a failure
	BeganAt time.Time    // when the work on it began, see NewWorker; where that is not known, when the calculation was created
	Orphan  bool         // the calculation did not come with it
	Seen    bool         // SeenAt is known
	SeenAt  uint64       // the record's revision before the backend was called
	GivenUp bool         // nobody will wait for its calculation any longer
}

// Stored is what a Settler needs of a result that is there already.
type Stored struct {
	Found bool
	Same  bool // it tells what the completion tells
	Open  bool // it failed for want of an answer, or was cancelled: an answer that still comes is late, not a contradiction
}

// Settler is the correlator's part, for one delivery of one completion. It is a value.
type Settler struct {
	ending   Ending
	step     SettlerStep
	revision uint64
	late     bool
	missing  bool
}

// NewSettler begins with a delivery.
func NewSettler(e Ending) Settler {
	m := Settler{ending: e}
	if e.Orphan {
		m.step = FindCalculation
	} else {
		m.begin()
	}
	return m
}

func (m *Settler) begin() {
	switch {
	case m.ending.End == Cancelled || m.ending.End == Reused: // says nothing new of the customer
		m.step = Commit
	case m.ending.End == Scored && m.ending.Seen: // nothing else was stored since? The compare-and-set tells
		m.step, m.revision = PutRecord, m.ending.SeenAt
	default:
		m.step = ReadRecord
	}
}

// Step is what to do next.
func (m *Settler) Step() SettlerStep { return m.step }

// Revision is the one that the record must have at step PutRecord.
func (m *Settler) Revision() uint64 { return m.revision }

// Late says at step PutRecord that only the score is stored: the result is another already.
func (m *Settler) Late() bool { return m.late }

// Found tells whether the calculation is there.
func (m *Settler) Found(found bool) {
	if found {
		m.begin()
		return
	}
	m.missing, m.step = true, ReadResult
}

// SawRecord tells the record.
func (m *Settler) SawRecord(r score.Record) {
	m.revision = r.Revision
	m.step = PutRecord
	if m.stands(r) {
		m.Put(true)
	}
}

// stands says whether the record is to stay as it is: it tells this end or a newer one already, or the calculation ended otherwise.
func (m *Settler) stands(r score.Record) bool {
	e := m.ending
	return r.ID == e.ID || r.HasScore() && r.BeganAt.After(e.BeganAt) ||
		r.FailedID == e.ID && (e.End == Failed || !Unanswered(r.FailedCode))
}

// Put tells whether the record was put, or stands; else it has changed and is read again.
func (m *Settler) Put(stored bool) {
	switch {
	case !stored:
		m.step = ReadRecord
	case m.late:
		m.release()
	default:
		m.step = Commit
	}
}

// Committed tells whether the result was stored; else there was one.
func (m *Settler) Committed(stored bool) {
	switch {
	case !stored:
		m.step = ReadResult
	case m.ending.End == Failed && m.ending.Code != scorev1.Code_BACKEND_DECLINED:
		m.step = Bury
	default:
		m.step = Release
	}
}

// SawResult tells the result that is there.
func (m *Settler) SawResult(r Stored) {
	switch {
	case !r.Found && !m.missing: // the read was too early
		m.step = Park
	case !r.Found && m.ending.GivenUp:
		m.step = Bury
	case !r.Found:
		m.step = Park
	case r.Same && m.ending.End == Failed && !m.missing: // perhaps a settler died between commit and burial
		m.Committed(true)
	case r.Same || !m.answers():
		m.release()
	case !r.Open: // the backend contradicts itself
		m.step = Bury
	case m.missing && m.ending.End == Scored: // late: paid for, so kept
		m.late, m.step = true, ReadRecord
	default: // late, and stored before the commit was refused
		m.release()
	}
}

// answers says whether the ending is what a backend answered, and not the want of an answer.
func (m *Settler) answers() bool {
	return m.ending.End == Scored || m.ending.End == Failed && !Unanswered(m.ending.Code)
}

// Buried tells that the dead letter is stored.
func (m *Settler) Buried() { m.release() }

func (m *Settler) release() {
	m.step = Release
	if m.missing {
		m.step = Done
	}
}

// Released tells that the calculation is gone.
func (m *Settler) Released() { m.step = Done }

// Unanswered says of a failure that the backend gave no answer, so one may still come.
func Unanswered(c scorev1.Code) bool {
	return c == scorev1.Code_DEADLINE_EXCEEDED || c == scorev1.Code_UNKNOWN_OUTCOME || c == scorev1.Code_BACKEND_UNAVAILABLE
}
