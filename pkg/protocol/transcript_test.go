package protocol_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/score"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

var rewrite = flag.Bool("rewrite", false, "write what the machines do into the transcripts")

// A transcript tells, after a line that makes a machine, each step of it and, after a colon, what came of that. Blank lines and comments
// stand between transcripts. Moments are counted from an arbitrary zero.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(data))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, have := strings.Split(string(data), "\n"), strings.Split(got, "\n")
			for i := range want {
				if i >= len(have) || want[i] != have[i] {
					t.Fatalf("%s:%d: it says\n%s\nand the machine does\n%s", file, i+1, want[i], append(have, "nothing")[i])
				}
			}
		})
	}
}

// machine is one of the three, for a transcript.
type machine interface {
	step() (name string, end bool)
	tell(words)
}

// play has the machines of a file do what they are told, and returns the file as it should be.
func play(t *testing.T, file string) string {
	t.Helper()
	var out strings.Builder
	var m machine
	ended := true
	for n, text := range strings.Split(strings.TrimSuffix(file, "\n"), "\n") {
		switch {
		case text == "" || text[0] == '#':
			if !ended {
				name, _ := m.step()
				t.Fatalf("line %d: the transcript ends where the machine does %s", n+1, name)
			}
			fmt.Fprintln(&out, text)
		case text[0] != ' ':
			m, ended = newMachine(t, text), false
			fmt.Fprintln(&out, text)
		case ended: // it went on before
		default:
			var name string
			name, ended = m.step()
			if ended {
				fmt.Fprintf(&out, "    %s\n", name)
				continue
			}
			_, told, _ := strings.Cut(text, ": ")
			fmt.Fprintf(&out, "    %s: %s\n", name, told)
			w := parse(t, told)
			m.tell(w)
			w.understood()
		}
	}
	if !ended {
		t.Fatal("the last transcript has no end")
	}
	return out.String()
}

func newMachine(t *testing.T, text string) machine {
	t.Helper()
	w := parse(t, text)
	defer w.understood()
	switch {
	case w.is("caller"):
		wishes := score.Wishes{MaxAge: w.duration("max_age"), MinRemaining: w.duration("min_remaining"), Refresh: w.is("refresh")}
		return &caller{protocol.NewCaller(w.id("id").id(), wishes, w.is("only_if_cached"), w.moment("received"))}
	case w.is("worker"):
		wishes := score.Wishes{MaxAge: w.duration("max_age"), MinRemaining: w.duration("min_remaining")}
		return &worker{protocol.NewWorker(protocol.Work{
			Calculation: w.calculation(), Wishes: wishes, Queued: w.is("queued"), NeverReuse: w.is("never_reuse"),
			Redelivered: w.is("redelivered"), AtMostOnce: w.is("at_most_once"), Callback: w.is("callback"),
		})}
	case w.is("settler"):
		e := protocol.Ending{
			ID: w.id("id").id(), Code: w.code("failed"), BeganAt: w.moment("began"), Orphan: w.is("orphan"),
			Seen: w.is("seen"), SeenAt: w.number("seen"), GivenUp: w.is("given_up"),
		}
		for end, word := range map[protocol.End]string{protocol.Failed: "failed", protocol.Cancelled: "cancelled", protocol.Reused: "reused"} {
			if w.is(word) {
				e.End = end
			}
		}
		return &settler{protocol.NewSettler(e)}
	}
	t.Fatalf("%q makes no machine", text)
	return nil
}

type caller struct{ protocol.Caller }

func (c *caller) step() (string, bool) {
	s := c.Step()
	name := [...]string{
		"LookAtScore", "Start", "ReadFirst", "Queue", "ReadLast", "ReadFirstNow", "Serve", "ServeFailure", "Refuse", "Promise",
	}[s]
	if p := c.Promised(); s == protocol.Promise {
		name = fmt.Sprintf("Promise %d, started %gs", p.ID[0], p.Started.Sub(zero).Seconds())
		name += choose(p.Joined, ", joined", "") + choose(p.Queued, ", queued", "")
	}
	return name, s >= protocol.Serve
}

func (c *caller) tell(w words) {
	switch c.Step() {
	case protocol.LookAtScore:
		c.SawScore(w.record())
	case protocol.Start:
		c.Started(w.either("stored", "refused"))
	case protocol.ReadFirst:
		c.SawFirst(w.calculation())
	case protocol.Queue:
		c.Queued(w.either("stored", "refused"))
	case protocol.ReadLast:
		c.SawLast(w.calculation())
	case protocol.ReadFirstNow:
		c.SawFirstNow(w.calculation())
	}
}

type worker struct{ protocol.Worker }

func (m *worker) step() (string, bool) {
	s := m.Step()
	return [...]string{
		"CheckTurn", "CheckSettled", "LookAgain", "Claim", "SetTimer", "Call", "Complete", "CompleteReused", "CompleteUnknown",
		"Ack", "PutBack",
	}[s], s >= protocol.Ack
}

func (m *worker) tell(w words) {
	switch m.Step() {
	case protocol.CheckTurn:
		m.SawTurn(w.calculation())
	case protocol.CheckSettled:
		m.SawSettled(w.either("settled", "open"))
	case protocol.LookAgain:
		m.SawScore(w.record(), w.moment("now"))
	case protocol.Claim:
		m.Claimed(w.is("own"), !w.is("own") && w.either("alive", "dead"))
	case protocol.SetTimer:
		w.must("set")
		m.TimerSet()
	case protocol.Call:
		m.Called(w.either("reported", "handed_over"))
	case protocol.Complete, protocol.CompleteReused, protocol.CompleteUnknown:
		w.must("stored")
		m.Completed()
	}
}

type settler struct{ protocol.Settler }

func (m *settler) step() (string, bool) {
	s := m.Step()
	name := [...]string{"FindCalculation", "ReadRecord", "PutRecord", "Commit", "ReadResult", "Bury", "Release", "Done", "Park"}[s]
	if s == protocol.PutRecord {
		name += fmt.Sprintf(" at %d", m.Revision()) + choose(m.Late(), ", late", "")
	}
	return name, s >= protocol.Done
}

func (m *settler) tell(w words) {
	switch m.Step() {
	case protocol.FindCalculation:
		m.Found(w.either("found", "gone"))
	case protocol.ReadRecord:
		m.SawRecord(w.record())
	case protocol.PutRecord:
		m.Put(w.either("stored", "changed"))
	case protocol.Commit:
		m.Committed(w.either("stored", "refused"))
	case protocol.ReadResult:
		found := !w.is("none")
		m.SawResult(protocol.Stored{Found: found, Same: found && w.either("same", "other"), Open: w.is("open")})
	case protocol.Bury:
		w.must("buried")
		m.Buried()
	case protocol.Release:
		w.must("released")
		m.Released()
	}
}

var zero = time.Unix(0, 0)

// words are what a line says: some with a value, `word=value`.
type words struct {
	t     *testing.T
	text  string
	said  map[string]string
	heard map[string]bool
}

func parse(t *testing.T, text string) words {
	w := words{t, text, map[string]string{}, map[string]bool{}}
	for f := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(f, "=")
		w.said[key] = value
	}
	return w
}

func (w words) is(word string) bool {
	_, ok := w.said[word]
	w.heard[word] = ok
	return ok
}

func (w words) must(word string) {
	w.t.Helper()
	if !w.is(word) {
		w.t.Fatalf("%q does not say %s", w.text, word)
	}
}

// understood checks that nothing was said in vain.
func (w words) understood() {
	w.t.Helper()
	for word := range w.said {
		if !w.heard[word] {
			w.t.Fatalf("%q: what is %s?", w.text, word)
		}
	}
}

func (w words) either(yes, no string) bool {
	w.t.Helper()
	if w.is(yes) == w.is(no) {
		w.t.Fatalf("%q says neither %s nor %s", w.text, yes, no)
	}
	return w.is(yes)
}

func (w words) number(word string) uint64 {
	w.t.Helper()
	if !w.is(word) {
		return 0
	}
	n, err := strconv.ParseUint(w.said[word], 10, 8)
	if err != nil {
		w.t.Fatalf("%q: %v", w.text, err)
	}
	return n
}

func (w words) id(word string) cid { return cid(w.number(word)) }

func (w words) duration(word string) time.Duration {
	w.t.Helper()
	if !w.is(word) {
		return 0
	}
	d, err := time.ParseDuration(w.said[word])
	if err != nil {
		w.t.Fatalf("%q: %v", w.text, err)
	}
	return d
}

// moment is the zero time when nothing is said.
func (w words) moment(word string) time.Time {
	w.t.Helper()
	if !w.is(word) {
		return time.Time{}
	}
	return zero.Add(w.duration(word))
}

func (w words) code(word string) scorev1.Code {
	w.t.Helper()
	code, ok := scorev1.Code_value[w.said[word]]
	if w.is(word) && !ok {
		w.t.Fatalf("%q: %s is not a code", w.text, w.said[word])
	}
	return scorev1.Code(code)
}

func (w words) calculation() protocol.Calculation {
	if w.is("none") {
		return protocol.Calculation{}
	}
	return protocol.Calculation{ID: w.id("id").id(), Sequence: w.number("sequence"), CreatedAt: w.moment("created")}
}

func (w words) record() score.Record {
	if w.is("none") {
		return score.Record{}
	}
	r := score.Record{
		Revision: w.number("revision"), ID: w.id("score").id(), BeganAt: w.moment("began"), CalculatedAt: w.moment("calculated"),
		ValidUntil: w.moment("valid_until"), FailedID: w.id("failure").id(), FailedCode: w.code("code"), FailedUntil: w.moment("until"),
	}
	if r.CalculatedAt.IsZero() {
		r.CalculatedAt = r.BeganAt
	}
	return r
}
