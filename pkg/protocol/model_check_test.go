package protocol_test

import (
	"github.com/scoreflow/scoreflow/pkg/protocol"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// checkCall checks a call of a backend.
func (w *world) checkCall(s *state, me working) {
	id, calls := me.item.id, s.of[me.item.id].calls
	switch {
	case s.index(me.item.seq) > 0:
		w.faultf("%v is run though another stands before it", id)
	case w.atMostOnce && calls > 1:
		w.faultf("the backend is called a second time for %v", id)
	case calls > 1+s.excuses:
		w.faultf("the backend is called for %v once more than crashes and redeliveries excuse", id)
	case me.needless != "":
		w.faultf("the backend is called for %v, which %s", id, me.needless)
	}
}

// checkPut checks a change of the record: nothing older replaces anything newer, and no other answer of a calculation its first one.
func (w *world) checkPut(s *state, c completion) {
	there, res := w.records.at(s.record), w.results.at(s.of[c.id].result)
	switch {
	case there.seq > c.seq:
		w.faultf("%v changes the record though the score of %v, which is newer, is there", c.id, there.id)
	case c.end == protocol.Scored && there.began > c.began:
		w.faultf("the score of %v overwrites one that began later", c.id)
	case there.id == c.id && !there.scored.same(c.score),
		there.failed == c.id && !protocol.Unanswered(there.code),
		s.of[c.id].result != 0 && res.end == protocol.Scored && !res.same(c.result()):
		w.faultf("another answer for %v changes the record", c.id)
	}
}

// checkCommit checks that a result is not changed, and that its score can be fetched when it is announced.
func (w *world) checkCommit(s *state, c completion) {
	of := s.of[c.id]
	if of.result != 0 && !w.results.at(of.result).same(c.result()) {
		w.faultf("the result of %v changes", c.id)
	}
	if there := w.records.at(s.record); c.end == protocol.Scored && !there.scored.same(c.score) && there.began <= c.began {
		w.faultf("the result of %v is announced and its score is not in the record", c.id)
	}
}

// checkPromise checks that the result which a caller was promised is fresh enough.
func (w *world) checkPromise(s *state, c calling) {
	id := c.promised()
	if id == 0 || s.of[id].result == 0 {
		return
	}
	r := w.results.at(s.of[id].result)
	if r.end != protocol.Scored && r.end != protocol.Reused {
		return
	}
	wishes := w.wishes[c.own-1]
	if wishes.Refresh && r.score.began <= c.received {
		w.faultf("caller %d, who wants a new score, is promised %v, which began before", c.own, id)
	}
	if wishes.MaxAge > 0 && c.received.time().Sub(r.score.began.time()) > wishes.MaxAge {
		w.faultf("caller %d is promised %v, whose score is too old", c.own, id)
	}
}

// checkKept checks that an answer which was acknowledged is not lost: a score is in the record, unless a newer one is, or one of the same
// calculation; and what contradicts the result is in a dead letter.
func (w *world) checkKept(s *state, c completion) {
	of := s.of[c.id]
	there, res := w.records.at(s.record), w.results.at(of.result)
	switch {
	case !c.answers() || of.conflict || of.completion != 0 && w.completions.at(of.completion).result().same(c.result()):
	case c.end == protocol.Scored && there.id != c.id && there.began <= c.began:
		w.faultf("the score of %v is lost", c.id)
	case of.result != 0 && !res.open() && !res.same(c.result()):
		w.faultf("another answer for %v is in no dead letter", c.id)
	}
}

// checkEnd checks a state in which nothing is left to happen.
func (w *world) checkEnd(s *state) {
	if s.count() > 0 {
		w.faultf("%v is left over", s.subject[0].id)
	}
	for _, r := range s.callers {
		if id := w.callers.at(r).promised(); id != 0 && s.of[id].result == 0 {
			w.faultf("%v was promised and has no result", id)
		}
	}
	for id, of := range s.of {
		if of.completion != 0 {
			w.faultf("the completion of %v is left over", cid(id))
		}
		r := w.results.at(of.result)
		if of.result != 0 && r.end == protocol.Failed && r.code != scorev1.Code_BACKEND_DECLINED && !of.failure {
			w.faultf("%v failed and is in no dead letter", cid(id))
		}
	}
}
