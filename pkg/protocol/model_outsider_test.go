package protocol_test

import (
	"slices"

	"github.com/scoreflow/scoreflow/pkg/protocol"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// An outsider has read a calculation and is about to store a completion of it: whoever found it overdue, an operator who aborts it, a
// backend that notifies. In the state it is that completion.

// befall tells the moves of the outsiders, and of time.
func (w *world) befall(s *state, to move) {
	if s.left.time > 0 {
		n := *s
		n.left.time--
		n.clock = (s.clock/many + 1) * many
		to(n, actor{role: "time"}, "passes", false)
	}
	for o, r := range s.outsiders {
		if r != 0 {
			w.outsiderStep(s, o, w.outsiders.at(r), to)
		}
	}
	free := slices.Index(s.outsiders[:], 0)
	if free < 0 {
		return
	}
	come := func(n state, c completion, who actor, what string, fair bool) {
		n.outsiders[free] = w.outsiders.ref(c)
		to(n, who, what, fair)
	}
	for at, i := range s.subject[:s.count()] {
		n := *s
		c := completion{id: i.id, seq: i.seq, end: protocol.Failed, code: scorev1.Code_DEADLINE_EXCEEDED, began: i.created}
		if w.abandoned(s, at) && w.without != byDeadline {
			come(n, c, actor{"deadline of", i.id}, "passes", true)
		} else if s.left.deadlines > 0 {
			n.left.deadlines--
			come(n, c, actor{"deadline of", i.id}, "passes", false)
		}
		if n = *s; s.left.aborts > 0 {
			n.left.aborts--
			c.end, c.code = protocol.Cancelled, 0
			come(n, c, actor{"operator of", i.id}, "aborts", false)
		}
	}
	for id := cid(1); id <= cid(len(w.wishes)); id++ {
		w.notify(s, id, come)
	}
}

// abandoned says whether nothing but its deadline is sure to end a calculation.
func (w *world) abandoned(s *state, at int) bool {
	i := s.subject[at]
	of := s.of[i.id]
	return s.delivery[at].acked && of.completion == 0 && of.result == 0 &&
		!slices.ContainsFunc(s.workers[:], func(r ref) bool { return w.workers.at(r).item == i }) &&
		!slices.ContainsFunc(s.outsiders[:], func(r ref) bool { return w.outsiders.at(r).id == i.id })
}

// notify is a notification: of a score or a failure and, later, of the same or another.
func (w *world) notify(s *state, id cid, come func(state, completion, actor, string, bool)) {
	of := s.of[id]
	if of.handed == 0 || of.notified == w.budget.notifications {
		return
	}
	n := *s
	n.of[id].notified++
	c := completion{id: id, seq: of.seq, began: of.handed, orphan: s.index(of.seq) < 0}
	for _, code := range w.failures {
		c.end, c.code = protocol.Failed, code
		come(n, c, actor{"backend of", id}, choose(protocol.Unanswered(code), "notifies of a failure", "notifies: no"), false)
	}
	c.end, c.code = protocol.Scored, 0
	c.score = scored{id: id, seq: of.seq, value: 1, began: of.handed}
	come(n, c, actor{"backend of", id}, "notifies of a score", false)
	if of.notified > 0 {
		c.score.value = 2
		come(n, c, actor{"backend of", id}, "notifies of another score", false)
	}
}

// outsiderStep stores the completion. An answer that finds the want of one waits until that is settled; one that finds another answer goes to
// the dead letters.
func (w *world) outsiderStep(s *state, o int, c completion, to move) {
	there := w.completions.at(s.of[c.id].completion)
	n := *s
	n.outsiders[o] = 0
	who := actor{"outsider of", c.id}
	switch {
	case there.id == 0:
		w.store(&n, c)
		to(n, who, "completes", true)
	case !c.answers() || there.result().same(c.result()):
		to(n, who, "finds a completion", true)
	case there.answers():
		n.of[c.id].conflict = true
		to(n, who, "buries", true)
	}
}
