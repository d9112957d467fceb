package protocol_test

import (
	"flag"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scoreflow/scoreflow/pkg/score"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

var full = flag.Bool("explore.full", false, "explore with larger budgets too, which takes six minutes and 2 GB")

// exploration is every state that can be reached, each visited once, the nearest first. States are known by a hash of 64 bits.
type exploration struct {
	*world
	seed    maphash.Seed
	seen    map[uint64]int32 // numbers of states
	parents []int32
	fair    []int32 // states that fair moves lead to, for one state after the other
	upto    []int32 // where those of a state end
	ends    []bool  // nothing has to happen any more
}

// explore visits all states. It returns the trail to the first one that is wrong, and nothing when all are right.
func explore(s setting) (e *exploration, trail string) {
	e = &exploration{world: &world{setting: s}, seed: maphash.MakeSeed(), seen: map[uint64]int32{}}
	_, start, _ := e.visit(e.start(), -1)
	here := int32(0)
	for level := []state{start}; len(level) > 0; {
		var following []state
		for i := range level {
			live := false
			e.next(&level[i], func(to state, who actor, what string, fair bool) {
				at, to, known := e.visit(to, here)
				if !known {
					following = append(following, to)
				}
				if fair {
					live = true
					e.fair = append(e.fair, at)
				}
				if e.fault != "" && trail == "" {
					trail = e.trail(here) + line(who, what)
				}
			})
			e.upto, e.ends = append(e.upto, int32(len(e.fair))), append(e.ends, !live)
			if e.fault == "" && !live {
				if e.checkEnd(&level[i]); e.fault != "" {
					trail = e.trail(here)
				}
			}
			if e.fault != "" {
				return e, trail
			}
			here++
		}
		level = following
	}
	if at := e.endless(); at >= 0 {
		e.faultf("no end can be reached any more")
		return e, e.trail(at)
	}
	return e, ""
}

// visit is a state's number, and the state as it is known.
func (e *exploration) visit(s state, from int32) (at int32, _ state, known bool) {
	s.order()
	h := maphash.Comparable(e.seed, s)
	if at, known = e.seen[h]; !known {
		at = int32(len(e.parents))
		e.seen[h] = at
		e.parents = append(e.parents, from)
	}
	return at, s, known
}

// endless is a state from which fair moves lead to no end; -1 when there is none.
func (e *exploration) endless() int32 {
	good := slices.Clone(e.ends)
	for changed := true; changed; {
		changed = false
		for i := len(good) - 1; i >= 0; i-- {
			if good[i] {
				continue
			}
			from := int32(0)
			if i > 0 {
				from = e.upto[i-1]
			}
			if slices.ContainsFunc(e.fair[from:e.upto[i]], func(to int32) bool { return good[to] }) {
				good[i], changed = true, true
			}
		}
	}
	return int32(slices.Index(good, false))
}

// trail tells how a state was reached: a line for each move, and what was there after it.
func (e *exploration) trail(at int32) string {
	var way []int32
	for ; at > 0; at = e.parents[at] {
		way = append(way, at)
	}
	var b strings.Builder
	s := e.start()
	for _, want := range slices.Backward(way) {
		var found state
		var did string
		e.next(&s, func(to state, who actor, what string, _ bool) {
			if at, to, known := e.visit(to, -1); known && at == want {
				found, did = to, line(who, what)
			}
		})
		s = found
		fmt.Fprintf(&b, "%-70s %s\n", did, e.describe(&s))
	}
	return b.String()
}

func line(who actor, what string) string { return "    " + who.String() + " " + what }

// describe tells the subject, the record and the results.
func (w *world) describe(s *state) string {
	var b strings.Builder
	for _, i := range s.subject[:s.count()] {
		fmt.Fprintf(&b, "%d ", i.id)
	}
	if r := w.records.at(s.record); r.id != 0 {
		fmt.Fprintf(&b, "| score of %d ", r.id)
	}
	if r := w.records.at(s.record); r.failed != 0 {
		fmt.Fprintf(&b, "| failure of %d ", r.failed)
	}
	for id, of := range s.of {
		if of.result != 0 {
			fmt.Fprintf(&b, "| %d %s ", id, [...]string{"scored", "failed", "cancelled", "reused"}[w.results.at(of.result).end])
		}
	}
	return b.String()
}

// The wishes of callers, and the failures of backends.
var (
	anyScore = score.Wishes{}
	newScore = score.Wishes{Refresh: true}
	young    = score.Wishes{MaxAge: 3 * passed / 2}
	failures = []scorev1.Code{scorev1.Code_BACKEND_DECLINED, scorev1.Code_BACKEND_UNAVAILABLE}
)

// combinations is how n callers may have these wishes.
func combinations(n int, wishes ...score.Wishes) (all [][]score.Wishes) {
	if n == 0 {
		return [][]score.Wishes{nil}
	}
	for i, first := range wishes {
		for _, others := range combinations(n-1, wishes[i:]...) {
			all = append(all, append([]score.Wishes{first}, others...))
		}
	}
	return all
}

func TestExplore(t *testing.T) {
	one, mixed := combinations(1, anyScore), [][]score.Wishes{{anyScore, newScore}}
	two, three := combinations(2, anyScore, newScore), combinations(3, anyScore, newScore)
	anyAge := combinations(3, anyScore, young, newScore)
	for _, c := range []struct {
		name    string
		callers [][]score.Wishes
		full    bool
		setting
	}{
		{"three callers", three, false, setting{}},
		{"early delivery", two, false, setting{budget: budget{early: 2}}},
		{"crashes", mixed, false, setting{budget: budget{crashes: 2}}},
		{"redelivery", mixed, false, setting{budget: budget{redeliveries: 1}}},
		{"lost answers", mixed, false, setting{alone: true, budget: budget{crashes: 1, lost: 1}}},
		{"deadlines and aborts", mixed, false, setting{alone: true, budget: budget{deadlines: 1, aborts: 1}}},
		{"all at once", one, false, setting{alone: true, failures: failures, budget: budget{deadlines: 1, aborts: 1, crashes: 1, lost: 1}}},
		{"failures", mixed, false, setting{failures: failures, budget: budget{crashes: 1}}},
		{"failures and redelivery", one, false, setting{failures: failures, budget: budget{crashes: 1, redeliveries: 1}}},
		{"at most once", two, false, setting{atMostOnce: true, budget: budget{crashes: 1}}},
		{"at most once, redelivery", mixed, false, setting{atMostOnce: true, budget: budget{redeliveries: 1}}},
		{"notifications", mixed, false, setting{callback: true, alone: true, budget: budget{notifications: 1, crashes: 1}}},
		{"notifications and redelivery", one, false, setting{callback: true, budget: budget{notifications: 2, crashes: 1, redeliveries: 1}}},
		{"notifications of failures", one, false, setting{callback: true, failures: failures, budget: budget{notifications: 2, crashes: 1}}},
		{"notifications, at most once", one, false, setting{callback: true, atMostOnce: true, budget: budget{notifications: 2, crashes: 1}}},
		{"ages", [][]score.Wishes{{anyScore, anyScore, young}}, false, setting{alone: true, old: true, budget: budget{time: 1}}},
		{"ages and crash", combinations(2, anyScore, young), false, setting{old: true, budget: budget{time: 1, crashes: 1}}},

		{"three callers, crash", three, true, setting{budget: budget{crashes: 1}}},
		{"three callers, redelivery", three, true, setting{budget: budget{redeliveries: 1}}},
		{"three callers, lost answer", three, true, setting{budget: budget{lost: 1}}},
		{"three callers, abort", three, true, setting{budget: budget{aborts: 1}}},
		{"three callers, ages", anyAge, true, setting{budget: budget{time: 1}}},
		{"three callers, ages, old score", anyAge, true, setting{old: true, budget: budget{time: 2}}},
		{"more crashes", two, true, setting{budget: budget{crashes: 3}}},
		{"crashes and redelivery", two, true, setting{budget: budget{crashes: 2, redeliveries: 1}}},
		{"deadlines, abort and crash", two, true, setting{budget: budget{deadlines: 1, aborts: 1, crashes: 1}}},
		{"failures, crash and redelivery", two, true, setting{failures: failures, budget: budget{crashes: 1, redeliveries: 1}}},
		{"at most once, crash and redelivery", two, true, setting{atMostOnce: true, budget: budget{crashes: 1, redeliveries: 1}}},
		{"notifications and crash", two, true, setting{callback: true, alone: true, budget: budget{notifications: 2, crashes: 1}}},
		{"two callers, notifications and redelivery", two, true, setting{callback: true, budget: budget{notifications: 1, redeliveries: 1}}},
		{"deadlines, abort, crash and redelivery", combinations(1, newScore), true, setting{
			budget: budget{deadlines: 1, aborts: 1, crashes: 1, redeliveries: 1},
		}},
		{"notifications, at most once, and redelivery", one, true, setting{
			callback: true, atMostOnce: true, budget: budget{notifications: 2, crashes: 1, redeliveries: 1},
		}},
		{"notifications and deadlines", two, true, setting{callback: true, budget: budget{notifications: 2}}},
	} {
		if c.full && !*full {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			states, ends, began := 0, 0, time.Now()
			for _, c.wishes = range c.callers {
				e, trail := explore(c.setting)
				if e.fault != "" {
					t.Fatalf("%s, callers %+v:\n%s", e.fault, c.wishes, trail)
				}
				states += len(e.ends)
				for _, end := range e.ends {
					if end {
						ends++
					}
				}
			}
			t.Logf("%d states, %d of them ends, %v", states, ends, time.Since(began).Round(time.Millisecond))
		})
	}
}
