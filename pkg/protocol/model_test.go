package protocol_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/score"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// The model is the broker as one key sees it, and everyone who works on it. The machines stand in it as they are. A state is a small value:
// machines and documents are kept once each, in pools, and the state holds their numbers.

// cid is a correlation ID: caller n starts calculation n. 0 is none.
type cid uint8

// someone is whose score is there from the start.
const someone cid = 255

func (c cid) id() correlation.ID { return correlation.ID{byte(c)} }

func (c cid) String() string { return fmt.Sprintf("calculation %d", uint8(c)) }

// tick is a moment. A tick passes where an order matters: when a request with wishes comes, and when a calculation is released. It is next to
// nothing; only when many have passed has time passed.
type tick uint8

const (
	many   = 16
	passed = score.Overlap
)

func (t tick) time() time.Time {
	return time.Unix(0, 0).Add(time.Duration(t/many)*passed + time.Duration(t%many))
}

// item is a calculation's message.
type item struct {
	id      cid
	seq     uint8
	created tick
	queued  bool
}

func (i item) core() protocol.Calculation {
	if i.seq == 0 {
		return protocol.Calculation{}
	}
	return protocol.Calculation{ID: i.id.id(), Sequence: uint64(i.seq), CreatedAt: i.created.time()}
}

// delivery is what the consumer knows of a calculation's message.
type delivery struct{ held, again, acked bool }

// scored is a score, by the calculation and the call that it came from.
type scored struct {
	id    cid
	seq   uint8 // of the calculation
	value uint8 // differs from that of any other call
	began tick
}

// same says whether two scores come from the same call.
func (s scored) same(as scored) bool { return s.id == as.id && s.value == as.value }

type record struct {
	revision uint8
	scored
	failed cid
	code   scorev1.Code
	until  tick
}

func (r record) core() score.Record {
	c := score.Record{Revision: uint64(r.revision), ID: r.id.id(), FailedID: r.failed.id(), FailedCode: r.code}
	if r.id != 0 {
		c.BeganAt, c.CalculatedAt, c.ValidUntil = r.began.time(), r.began.time(), r.began.time().Add(time.Hour)
	}
	if r.failed != 0 {
		c.FailedUntil = r.until.time()
	}
	return c
}

// completion is a message of COMPLETIONS; n tells those of one correlation ID apart.
type completion struct {
	id     cid
	n      uint8
	seq    uint8
	end    protocol.End
	code   scorev1.Code
	score  scored // calculated, or reused
	began  tick
	orphan bool
	seen   bool
	seenAt uint8
}

// result is a document of RESULTS.
type result struct {
	end   protocol.End
	code  scorev1.Code
	score scored
}

func (r result) same(as result) bool {
	return r.end == as.end && r.code == as.code && r.score.same(as.score)
}

// answers says whether it is what a backend answered.
func (c completion) answers() bool {
	return c.end == protocol.Scored || c.end == protocol.Failed && !protocol.Unanswered(c.code)
}

// result is the document that a completion makes.
func (c completion) result() result { return result{c.end, c.code, c.score} }

func (r result) open() bool {
	return r.end == protocol.Cancelled || r.end == protocol.Failed && protocol.Unanswered(r.code)
}

// about is what is there, and what has happened, of one correlation ID.
type about struct {
	seq        uint8 // of its calculation; 0 = it was never stored
	completion ref
	taken      bool // the completion, by a correlator
	completed  uint8
	result     ref
	claimed    bool
	calls      uint8 // of the backend
	handed     tick  // when it was called last, if it will notify
	notified   uint8
	failure    bool // a dead letter has it
	conflict   bool // a dead letter has an answer that is not the result
}

// budget is what may still befall.
type budget struct {
	crashes       uint8 // of adapters and correlators
	redeliveries  uint8 // to another while the first one lives
	early         uint8 // deliveries of a calculation before its turn
	lost          uint8 // answers of the broker
	deadlines     uint8 // that pass although the calculation is in good hands
	aborts        uint8
	notifications uint8 // of each calculation
	time          uint8 // how often time passes
}

type state struct {
	clock     tick
	left      budget
	excuses   uint8 // for another call of a backend: crashes and redeliveries
	seq       uint8
	subject   [2]item
	before    [2]item // the subject as it was before its last change
	lagging   [2]item // the subject as it was before the change before that; only where that matters
	delivery  [2]delivery
	record    ref
	previous  ref // record
	callers   [4]ref
	workers   [2]ref
	settlers  [2]ref
	outsiders [2]ref
	of        [5]about // by cid
}

// ref names a value of a pool; 0 is the zero value.
type ref uint16

// pool keeps each value once.
type pool[T comparable] struct {
	refs   map[T]ref
	values []T
}

func (p *pool[T]) at(r ref) T {
	if r == 0 {
		var zero T
		return zero
	}
	return p.values[r]
}

func (p *pool[T]) ref(v T) ref {
	if p.refs == nil {
		var zero T
		p.refs, p.values = map[T]ref{zero: 0}, []T{zero}
	}
	r, ok := p.refs[v]
	if !ok {
		r = ref(len(p.values))
		if r == 0 {
			panic("a pool is full")
		}
		p.refs[v], p.values = r, append(p.values, v)
	}
	return r
}

// setting is what an exploration is about.
type setting struct {
	wishes     []score.Wishes // of the callers; equal ones stand together
	callback   bool           // the backend notifies
	atMostOnce bool
	failures   []scorev1.Code // that the backend may tell, besides a score
	old        bool           // a score is there from the start
	alone      bool           // there is one adapter and one correlator
	budget     budget
	without    rule
}

// world is a setting, and the pools of its exploration.
type world struct {
	setting
	callers     pool[calling]
	workers     pool[working]
	settlers    pool[settling]
	outsiders   pool[completion]
	records     pool[record]
	completions pool[completion]
	results     pool[result]

	fault string // the first that was found
}

func (w *world) faultf(format string, args ...any) {
	if w.fault == "" {
		w.fault = fmt.Sprintf(format, args...)
	}
}

func (w *world) start() state {
	s := state{clock: 1, left: w.budget}
	if w.old {
		s.clock = many
		s.record = w.records.ref(record{revision: 1, scored: scored{id: someone, began: 1}})
	}
	return s
}

// actor is who moves.
type actor struct {
	role string
	id   cid // the calculation it is about
}

func (a actor) String() string { return fmt.Sprintf("%s %d", a.role, a.id) }

// move is told a move, and the state that it leads to. A move is fair when it happens some time, however bad the luck.
type move func(to state, who actor, what string, fair bool)

// next tells all moves from a state.
func (w *world) next(s *state, to move) {
	w.call(s, to)
	w.work(s, to)
	w.settle(s, to)
	w.befall(s, to)
}

// order puts those first who are there, so that it makes no difference which of several alike moves.
func (s *state) order() {
	order(&s.workers)
	order(&s.settlers)
	order(&s.outsiders)
}

func order(alike *[2]ref) {
	alike[0], alike[1] = max(alike[0], alike[1]), min(alike[0], alike[1])
}

// place stores a calculation as the last of the subject; false when it is full.
func (w *world) place(s *state, i item) bool {
	at := s.count()
	if at == len(s.subject) {
		return false
	}
	w.change(s)
	s.seq++
	i.seq = s.seq
	s.subject[at] = i
	s.of[i.id].seq = s.seq
	return true
}

// remove removes the calculation with a sequence, if it is there.
func (w *world) remove(s *state, seq uint8) {
	at := s.index(seq)
	if at < 0 {
		return
	}
	w.change(s)
	if at == 0 {
		s.subject[0], s.delivery[0] = s.subject[1], s.delivery[1]
	}
	s.subject[1], s.delivery[1] = item{}, delivery{}
	s.clock++
}

// change keeps the subject as a replica has it that is behind.
func (w *world) change(s *state) {
	if w.without == joinFromLeader {
		s.lagging = s.before
	}
	s.before = s.subject
}

func (s *state) count() int {
	n := slices.IndexFunc(s.subject[:], func(i item) bool { return i.seq == 0 })
	if n < 0 {
		n = len(s.subject)
	}
	return n
}

// index is where the calculation with a sequence stands; -1 when it is gone.
func (s *state) index(seq uint8) int {
	return slices.IndexFunc(s.subject[:], func(i item) bool { return seq != 0 && i.seq == seq })
}

// giveBack acknowledges a calculation, or has it delivered again.
func (s *state) giveBack(seq uint8, acked bool) {
	if at := s.index(seq); at >= 0 {
		d := &s.delivery[at]
		d.held, d.acked = false, d.acked || acked
	}
}

func last(subject [2]item) item {
	if subject[1].seq != 0 {
		return subject[1]
	}
	return subject[0]
}

func choose(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}
