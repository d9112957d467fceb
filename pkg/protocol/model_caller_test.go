package protocol_test

import (
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/score"
)

// calling is a caller that has come.
type calling struct {
	protocol.Caller
	own      cid
	received tick
}

// promised is the calculation that the caller was promised; 0 when it was promised none.
func (c calling) promised() cid {
	if c.Step() != protocol.Promise {
		return 0
	}
	return cid(c.Promised().ID[0])
}

// call tells the moves of the callers. None crashes: one that is gone does no harm that a slow one could not do.
func (w *world) call(s *state, to move) {
	for i, r := range s.callers[:len(w.wishes)] {
		if r != 0 {
			w.callerStep(s, i, w.callers.at(r), to)
		} else if i == 0 || s.callers[i-1] != 0 || w.wishes[i] != w.wishes[i-1] { // those alike come in order
			w.arrive(*s, i, to)
		}
	}
}

func (w *world) arrive(s state, i int, to move) {
	c := calling{own: cid(i + 1), received: s.clock}
	c.Caller = protocol.NewCaller(c.own.id(), w.wishes[i], false, s.clock.time())
	s.callers[i] = w.callers.ref(c)
	if w.wishes[i] != (score.Wishes{}) {
		s.clock++
	}
	to(s, actor{"caller", c.own}, "comes", true)
}

func (w *world) callerStep(s *state, i int, c calling, to move) {
	n := *s
	me := item{id: c.own, created: c.received}
	known := s.of[c.own].seq != 0 && w.without != sameIdentity // the broker knows the message and does not store it again
	told := func(what string, tell func(*protocol.Caller)) {
		n, c := n, c
		tell(&c.Caller)
		w.checkPromise(&n, c)
		n.callers[i] = w.callers.ref(c)
		to(n, actor{"caller", c.own}, what, true)
	}
	lost := func(what string) { // what it did is done, and it will do it again
		if s.left.lost > 0 {
			n.left.lost--
			to(n, actor{"caller", c.own}, what, false)
		}
	}
	switch c.Step() {
	case protocol.LookAtScore:
		told("looks at the score", func(c *protocol.Caller) { c.SawScore(w.records.at(s.record).core()) })
		if s.previous != s.record {
			told("looks at the score as it was before", func(c *protocol.Caller) { c.SawScore(w.records.at(s.previous).core()) })
		}
	case protocol.Start:
		stored := !known && (s.count() == 0 || w.without == startIfNone) && w.place(&n, me)
		told(choose(stored, "starts", "is refused to start"), func(c *protocol.Caller) { c.Started(stored || known && s.count() == 0) })
		if stored {
			lost("starts, and the answer is lost")
		}
	case protocol.ReadFirst:
		told("reads the first", func(c *protocol.Caller) { c.SawFirst(w.joinable(s.subject[0])) })
		if s.before[0] != s.subject[0] {
			told("reads the first as it was before", func(c *protocol.Caller) { c.SawFirst(w.joinable(s.before[0])) })
		}
	case protocol.Queue:
		me.queued = true
		stored := !known && w.place(&n, me)
		told(choose(stored, "queues", "is refused to queue"), func(c *protocol.Caller) { c.Queued(stored || known) })
		if stored {
			lost("queues, and the answer is lost")
		}
	case protocol.ReadLast:
		told("reads the last", func(c *protocol.Caller) { c.SawLast(last(s.subject).core()) })
		if w.without == joinFromLeader && last(s.lagging) != last(s.subject) {
			told("reads the last as it was long before", func(c *protocol.Caller) { c.SawLast(last(s.lagging).core()) })
		}
	case protocol.ReadFirstNow:
		told("reads the first now", func(c *protocol.Caller) { c.SawFirstNow(s.subject[0].core()) })
		if w.without == joinFromLeader && s.lagging[0] != s.subject[0] {
			told("reads the first as it was long before", func(c *protocol.Caller) { c.SawFirstNow(s.lagging[0].core()) })
		}
	}
}

// joinable is a calculation as one who may join it sees it.
func (w *world) joinable(i item) protocol.Calculation {
	c := i.core()
	if w.without == joinOverlap {
		c.CreatedAt = c.CreatedAt.Add(score.Overlap)
	}
	return c
}
