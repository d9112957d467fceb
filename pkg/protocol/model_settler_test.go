package protocol_test

import (
	"github.com/scoreflow/scoreflow/pkg/protocol"
)

// settling is a settler, and what its correlator holds beside it.
type settling struct {
	protocol.Settler
	done  completion
	early bool // it did a step before its turn
}

func (me settling) actor() actor { return actor{"correlator of", me.done.id} }

// settle tells the moves of the correlators.
func (w *world) settle(s *state, to move) {
	for k, r := range s.settlers {
		if r == 0 {
			if k == 0 || !w.alone {
				w.deliverCompletion(s, k, to)
			}
			return // those idle are alike
		}
		me := w.settlers.at(r)
		w.settlerStep(s, k, me, to)
		if s.left.crashes > 0 {
			n := *s
			n.left.crashes--
			w.giveBack(&n, k, me.done, false)
			to(n, me.actor(), "crashes", false)
		}
	}
}

// deliverCompletion gives a completion to an idle correlator.
func (w *world) deliverCompletion(s *state, k int, to move) {
	for id, of := range s.of {
		if of.completion == 0 || of.taken && s.left.redeliveries == 0 {
			continue
		}
		n := *s
		if of.taken {
			n.left.redeliveries--
		}
		n.of[id].taken = true
		c := w.completions.at(of.completion)
		me := settling{done: c, Settler: protocol.NewSettler(protocol.Ending{
			ID: c.id.id(), End: c.end, Code: c.code, BeganAt: c.began.time(), Orphan: c.orphan, Seen: c.seen, SeenAt: uint64(c.seenAt),
		})}
		n.settlers[k] = w.settlers.ref(me)
		to(n, me.actor(), choose(of.taken, "gets its completion while another has it", "gets its completion"), !of.taken)
	}
}

// giveBack acknowledges a completion, or has it delivered again. Either may come too late to matter.
func (w *world) giveBack(s *state, k int, c completion, acked bool) {
	s.settlers[k] = 0
	of := &s.of[c.id]
	if w.completions.at(of.completion) != c {
		return
	}
	of.taken = false
	if acked {
		of.completion = 0
	}
}

func (w *world) settlerStep(s *state, k int, me settling, to move) {
	n := *s
	of := &n.of[me.done.id]
	then := func(me settling, what string) {
		n := n
		n.settlers[k] = w.settlers.ref(me)
		to(n, me.actor(), what, true)
	}
	lost := func(what string) { // what it did is done, and it will do it again
		if s.left.lost > 0 {
			n.left.lost--
			to(n, me.actor(), what, false)
		}
	}
	if what := w.tooEarly(&n, &me); what != "" {
		then(me, what)
		return
	}
	before := me
	switch me.Step() {
	case protocol.FindCalculation:
		me.Found(s.index(me.done.seq) >= 0)
		then(me, "looks for the calculation")
	case protocol.ReadRecord:
		r := w.records.at(s.record)
		if w.without == newerStands {
			r = record{revision: r.revision}
		}
		me.SawRecord(r.core())
		then(me, "reads the record")
	case protocol.PutRecord:
		if uint64(w.records.at(s.record).revision) != me.Revision() && w.without != putIfUnchanged {
			me.Put(false)
			then(me, "finds the record changed")
			break
		}
		w.put(&n, me.done)
		me.Put(true)
		then(me, "puts the record")
		me = before
		lost("puts the record, and the answer is lost")
	case protocol.Commit:
		if of.result != 0 && w.without != commitOnce {
			me.Committed(false)
			then(me, "finds a result")
			break
		}
		w.commit(&n, me.done)
		me.Committed(true)
		then(me, "commits the result")
		me = before
		lost("commits the result, and the answer is lost")
	case protocol.ReadResult:
		r := w.results.at(of.result)
		me.SawResult(protocol.Stored{Found: of.result != 0, Same: r.same(me.done.result()), Open: r.open()})
		then(me, "reads the result")
	case protocol.Bury:
		if w.results.at(of.result).same(me.done.result()) {
			of.failure = true
		} else {
			of.conflict = true
		}
		me.Buried()
		then(me, "buries")
	case protocol.Release:
		w.release(&n, me.done)
		me.Released()
		then(me, "releases")
	case protocol.Done, protocol.Park:
		done := me.Step() == protocol.Done
		if w.giveBack(&n, k, me.done, done); done {
			w.checkKept(&n, me.done)
		}
		to(n, me.actor(), choose(done, "acknowledges", "parks"), true)
	}
}

// tooEarly does a step before its turn, where a rule is left out.
func (w *world) tooEarly(s *state, me *settling) (what string) {
	step := me.Step()
	switch {
	case me.early:
	case w.without == commitFirst && step == protocol.Commit:
		me.early, what = true, "releases"
		w.release(s, me.done)
	case w.without == putFirst && step == protocol.PutRecord:
		me.early, what = true, "commits the result"
		w.commit(s, me.done)
	}
	return what
}

// put puts the score, or the memo of the failure, into the record.
func (w *world) put(s *state, c completion) {
	w.checkPut(s, c)
	old := w.records.at(s.record)
	r := record{revision: old.revision + 1, scored: c.score}
	if c.end == protocol.Failed {
		r.scored, r.failed, r.code, r.until = old.scored, c.id, c.code, c.began+2
	}
	s.previous, s.record = s.record, w.records.ref(r)
}

func (w *world) commit(s *state, c completion) {
	w.checkCommit(s, c)
	s.of[c.id].result = w.results.ref(c.result())
	for _, r := range s.callers {
		w.checkPromise(s, w.callers.at(r))
	}
}

func (w *world) release(s *state, c completion) {
	if s.index(c.seq) >= 0 && s.of[c.id].result == 0 {
		w.faultf("%v is released and has no result", c.id)
	}
	w.remove(s, c.seq)
}
