// Package score is the pure core: what a record of a score means for a request. It knows no broker and no clock.
package score

import (
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Record is what decisions need of a record in the bucket. The zero Record is that of a customer without one.
type Record struct {
	Revision     uint64
	ID           correlation.ID // the calculation that the score came from; zero = there is no score
	BeganAt      time.Time      // when that calculation's backend was called
	CalculatedAt time.Time
	ValidUntil   time.Time // decides alone whether the score may be served

	FailedID    correlation.ID // the last calculation that failed after it; zero = none
	FailedCode  scorev1.Code
	FailedUntil time.Time // until then the failure answers further requests
}

// HasScore says whether there is a score, valid or not.
func (r Record) HasScore() bool { return r.ID != correlation.ID{} }

// Wishes are what a request asks of a score, besides being valid. The zero value asks nothing.
type Wishes struct {
	MaxAge       time.Duration // since it was calculated; 0 = any age
	MinRemaining time.Duration // of its validity
	Refresh      bool          // its calculation begins after the request
}

// Verdict is what becomes of a request.
type Verdict int

// The verdicts.
const (
	Calculate Verdict = iota // nothing there satisfies it
	Ready                    // the record's score does
	Failed                   // nothing does, and a calculation failed so lately that another would be too soon
)

func (v Verdict) String() string { return [...]string{"calculate", "ready", "failed"}[v] }

// Decide is the only home of the rules of freshness; gateway and adapter use it alike. now is the moment the request was received.
func Decide(r Record, w Wishes, now time.Time) Verdict {
	switch {
	case r.Satisfies(w, now):
		return Ready
	case now.Before(r.FailedUntil):
		return Failed
	}
	return Calculate
}

// Satisfies says whether the record's score may be served at now to a request with these wishes.
func (r Record) Satisfies(w Wishes, now time.Time) bool {
	return r.HasScore() && !w.Refresh && r.ValidUntil.Sub(now) > 0 && r.ValidUntil.Sub(now) >= w.MinRemaining &&
		(w.MaxAge == 0 || now.Sub(r.CalculatedAt) <= w.MaxAge)
}

// Overlap is how much older than a calculation the score may be that it ends with instead of a new one: one that was stored while the
// request was on its way, or that a replica did not have yet.
const Overlap = time.Second

// Reusable says whether a calculation that was started at created, for a request with these wishes, may end with the record's score. The
// score then serves everyone who joined the calculation as well.
func (r Record) Reusable(w Wishes, created, now time.Time) bool {
	oldest := Overlap
	if w.MaxAge > 0 {
		oldest = min(oldest, w.MaxAge)
	}
	w.MaxAge = 0 // it counts from the request, not from now
	return r.Satisfies(w, now) && created.Sub(r.CalculatedAt) <= oldest
}

// Joins says whether a request received at now may wait for a calculation that was started at created and has perhaps begun: its score
// will be no older than that, or than that and Overlap if it is reused.
func (w Wishes) Joins(created, now time.Time) bool {
	return !w.Refresh && (w.MaxAge == 0 || now.Sub(created) <= w.MaxAge-Overlap)
}
