package protocol_test

import (
	"github.com/scoreflow/scoreflow/pkg/protocol"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// working is a worker, and what its adapter holds beside it.
type working struct {
	protocol.Worker
	item     item
	again    bool
	began    tick // when it saw its turn
	looked   bool
	saw      ref        // the record, when it looked
	checked  bool       // half: the other one of completion and result is next
	claimed  bool       // by this worker
	done     completion // what it has to store
	needless string     // why a call would be, as was known when it was delivered
}

func (me working) actor() actor {
	return actor{choose(me.again, "another adapter of", "adapter of"), me.item.id}
}

// work tells the moves of the adapters.
func (w *world) work(s *state, to move) {
	for j, r := range s.workers {
		if r == 0 {
			if j == 0 || !w.alone {
				w.deliver(s, j, to)
			}
			return // those idle are alike
		}
		me := w.workers.at(r)
		w.workerStep(s, j, me, to)
		if s.left.crashes > 0 {
			n := *s
			n.left.crashes--
			n.excuses++
			n.workers[j] = 0
			n.giveBack(me.item.seq, false)
			to(n, me.actor(), "crashes", false)
		}
	}
}

// deliver gives a calculation to an idle adapter.
func (w *world) deliver(s *state, j int, to move) {
	for at, d := range s.delivery {
		if s.subject[at].seq == 0 || d.acked || d.held && s.left.redeliveries == 0 || at > 0 && s.left.early == 0 {
			continue
		}
		n := *s
		if d.held {
			n.left.redeliveries--
			n.excuses++
		}
		if at > 0 {
			n.left.early--
		}
		me := w.newWork(s, s.subject[at], d.again)
		n.delivery[at] = delivery{held: true, again: true}
		n.workers[j] = w.workers.ref(me)
		to(n, me.actor(), "gets it", !d.held && at == 0)
	}
}

func (w *world) newWork(s *state, i item, again bool) working {
	wishes := w.wishes[i.id-1]
	never := (i.queued || wishes.Refresh) && w.without != secondIsNew
	wishes.Refresh = false // it does not stand in the message
	me := working{item: i, again: again, began: s.clock, Worker: protocol.NewWorker(protocol.Work{
		Calculation: i.core(), Wishes: wishes, Queued: i.queued && w.without != waitForTurn, NeverReuse: never,
		Redelivered: again && w.without != checkSettled, AtMostOnce: w.atMostOnce, Callback: w.callback,
	})}
	of := &s.of[i.id]
	switch {
	case again && (of.completion != 0 || of.result != 0):
		me.needless = "has ended already"
	case !never && w.records.at(s.record).core().Reusable(wishes, i.created.time(), s.clock.time()):
		me.needless = "could have reused the score"
	}
	return me
}

func (w *world) workerStep(s *state, j int, me working, to move) {
	n := *s
	of := &n.of[me.item.id]
	then := func(me working, what string) {
		n := n
		n.workers[j] = w.workers.ref(me)
		to(n, me.actor(), what, true)
	}
	switch me.Step() {
	case protocol.CheckTurn:
		me.SawTurn(s.subject[0].core())
		me.began = s.clock
		then(me, "looks whether it is its turn")
	case protocol.CheckSettled: // the completion, then the result
		here := choose(me.checked == (w.without == completionFirst), "completion", "result")
		if found := here == "completion" && of.completion != 0 || here == "result" && of.result != 0; found || me.checked {
			me.SawSettled(found)
		}
		me.checked = !me.checked
		then(me, choose(here == "result", "looks for a result", "looks for a completion"))
	case protocol.LookAgain:
		then(w.look(s, me, s.record), "looks again at the score")
		if w.without == lookAtLeader && s.previous != s.record {
			then(w.look(s, me, s.previous), "looks again at the score as it was before")
		}
	case protocol.Claim:
		if !of.claimed || w.without == claimCalls {
			of.claimed, me.claimed = true, true
			me.Claimed(true, true)
			then(me, "claims")
			break
		}
		living := me
		me.Claimed(false, false)
		then(me, "finds a claim whose holder seems gone")
		if w.claimant(s, me.item.id) {
			living.Claimed(false, true)
			then(living, "finds a claim whose holder lives")
		}
	case protocol.SetTimer: // the deadlines of the model need none
		me.TimerSet()
		then(me, "sets the timer")
	case protocol.Call:
		w.callBackend(&n, me, then)
	case protocol.Complete:
		w.complete(&n, me, then)
	case protocol.CompleteReused:
		r := w.records.at(me.saw)
		me.done = completion{end: protocol.Reused, score: r.scored, began: me.began, seen: true, seenAt: r.revision}
		w.complete(&n, me, then)
	case protocol.CompleteUnknown:
		me.done = completion{end: protocol.Failed, code: scorev1.Code_UNKNOWN_OUTCOME, began: me.began}
		w.complete(&n, me, then)
	case protocol.Ack, protocol.PutBack:
		n.workers[j] = 0
		acked := me.Step() == protocol.Ack
		n.giveBack(me.item.seq, acked)
		to(n, me.actor(), choose(acked, "acknowledges", "puts it back"), true)
	}
}

// look tells a worker the record.
func (w *world) look(s *state, me working, saw ref) working {
	r := w.records.at(saw).core()
	switch created := me.item.created.time(); {
	case w.without == lookAgain:
		r.ID = cid(0).id()
	case w.without == ownEnd && r.FailedID == me.item.id.id():
		r.FailedID = cid(0).id()
	case w.without == reuseOverlap && r.CalculatedAt.Before(created):
		r.CalculatedAt = created
	}
	me.looked, me.saw = true, saw
	me.SawScore(r, s.clock.time())
	return me
}

// claimant says whether whoever claimed a call still works on it.
func (w *world) claimant(s *state, id cid) bool {
	for _, r := range s.workers {
		if other := w.workers.at(r); other.claimed && other.item.id == id {
			return true
		}
	}
	return false
}

// callBackend calls the backend, which answers at once: that an answer takes its time makes no difference to what can happen.
func (w *world) callBackend(s *state, me working, then func(working, string)) {
	of := &s.of[me.item.id]
	of.calls++
	if w.without == beganEarly {
		me.began = s.clock
	}
	w.checkCall(s, me)
	tell := func(done completion, what string) {
		me := me
		done.began, done.seen, done.seenAt = me.began, me.looked, w.records.at(me.saw).revision
		me.done = done
		me.Called(true)
		then(me, what)
	}
	for _, code := range w.failures {
		tell(completion{end: protocol.Failed, code: code}, choose(protocol.Unanswered(code), "calls the backend in vain", "calls the backend: no"))
	}
	if w.callback {
		of.handed = me.began
		me.Called(false)
		then(me, "calls the backend, which will notify")
		return
	}
	sc := scored{id: me.item.id, seq: me.item.seq, value: of.calls, began: me.began}
	tell(completion{end: protocol.Scored, score: sc}, "calls the backend: a score")
}

// complete stores what the worker has to store. An answer that finds another end waits until that is settled.
func (w *world) complete(s *state, me working, then func(working, string)) {
	done := me.done
	done.id, done.seq = me.item.id, me.item.seq
	there := w.completions.at(s.of[done.id].completion)
	switch {
	case there.id == 0:
		w.store(s, done)
	case done.answers() && !there.result().same(done.result()) && w.without != keepAnswer:
		return
	default:
		w.checkKept(s, done)
	}
	me.Completed()
	me.done = completion{}
	then(me, choose(there.id == 0, "completes", "finds a completion"))
}

// store stores a completion where none is.
func (w *world) store(s *state, c completion) {
	of := &s.of[c.id]
	of.completed++
	c.n = of.completed
	of.completion, of.taken = w.completions.ref(c), false
}
