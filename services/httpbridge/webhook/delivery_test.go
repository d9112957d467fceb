package webhook

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

var epoch = time.Unix(1_800_000_000, 0)

// at is so many seconds after the epoch.
func at(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

func TestTheWayOfADelivery(t *testing.T) {
	const abandoned = 30 * time.Second
	policy := Policy{Delays: []time.Duration{0, 5 * time.Second, time.Minute}, Longest: time.Hour}
	id, _ := newID(t)
	d := newDelivery("crm", id, at(0))
	expect := func(when int, want step, until int) {
		t.Helper()
		if got, u := d.step(at(when), abandoned); got != want || !u.Equal(at(until)) {
			t.Fatalf("at %d: step %d at %v, want %d at %v; %+v", when, got, u.Sub(epoch), want, at(until).Sub(epoch), d)
		}
	}
	expect(0, look, 0)
	d.know(event{Type: Completed}, at(1))
	expect(1, try, 1)

	d.begin(at(1))
	expect(2, stand, 31) // it may be under way
	expect(31, try, 31)  // the bridge has died
	d.begin(at(31))
	d.end(at(31), outcome{status: 500, problem: refused}, policy, at(32))
	expect(33, later, 37)
	expect(37, try, 37)

	d.begin(at(37))
	d.end(at(37), outcome{status: 503, problem: refused, retryAfter: 2 * time.Minute}, policy, at(40))
	expect(41, later, 160) // it asked for more than the policy has

	d.begin(at(160))
	d.end(at(160), outcome{problem: timedOut}, policy, at(175))
	expect(176, rest, 176)
	if d.State != failed {
		t.Errorf("%+v", d)
	}
	want := []attempt{
		{At: at(1), Ended: true, Problem: interrupted},
		{At: at(31), Ended: true, Status: 500, Problem: refused},
		{At: at(37), Ended: true, Status: 503, Problem: refused},
		{At: at(160), Ended: true, Problem: timedOut},
	}
	if diff := cmp.Diff(want, d.Attempts); diff != "" {
		t.Error(diff)
	}

	d.again(at(200))
	expect(200, try, 200)
	d.begin(at(200))
	d.end(at(200), outcome{status: 200}, policy, at(201))
	expect(202, rest, 202)
	if d.State != delivered {
		t.Errorf("%+v", d)
	}
}

// TestALateEnd is of a bridge that stood still so long that another has taken over.
func TestALateEnd(t *testing.T) {
	id, _ := newID(t)
	begun := func() *delivery {
		d := newDelivery("crm", id, at(0))
		d.know(event{Type: Completed}, at(0))
		d.begin(at(0))
		d.begin(at(40))
		return d
	}
	d := begun()
	d.end(at(0), outcome{status: 500, problem: refused}, quick, at(41))
	if d.State != pending || d.Failures != 0 || d.Attempts[0].Status != 500 || d.Attempts[1].Ended {
		t.Errorf("%+v", d)
	}
	d = begun()
	d.end(at(0), outcome{status: 200}, quick, at(41))
	d.end(at(40), outcome{status: 500, problem: refused}, quick, at(42))
	if d.State != delivered || d.Failures != 0 || d.Attempts[1].Status != 500 {
		t.Errorf("%+v", d)
	}
}

func TestAttemptsAreKeptWithinLimits(t *testing.T) {
	id, _ := newID(t)
	d := newDelivery("crm", id, at(0))
	d.know(event{Type: Completed}, at(0))
	for i := range 2 * maxAttempts {
		d.begin(at(i))
	}
	if n := len(d.Attempts); n != maxAttempts || !d.Attempts[n-1].At.Equal(at(2*maxAttempts-1)) {
		t.Errorf("%d are kept", n)
	}
}

func TestDeliveriesHaveIDsOfTheirOwn(t *testing.T) {
	one, _ := newID(t)
	two, _ := newID(t)
	id := newDelivery("crm", one, at(0)).ID
	if again := newDelivery("crm", one, at(9)).ID; again != id || !strings.HasPrefix(id, "msg_") || strings.Contains(id, ".") {
		t.Errorf("%s and %s", id, again)
	}
	if id == newDelivery("erp", one, at(0)).ID || id == newDelivery("crm", two, at(0)).ID {
		t.Error("two deliveries have the same ID")
	}
}

func TestStandardPolicy(t *testing.T) {
	p := StandardPolicy()
	p.Jitter = 0
	var all time.Duration
	n := 0
	for {
		d, ok := p.next(n, 0)
		if !ok {
			break
		}
		all += d
		n++
	}
	if want := 75*time.Hour + 35*time.Minute + 5*time.Second; n != 10 || all != want {
		t.Errorf("%d attempts in %v, want 10 in %v", n, all, want)
	}
	p.Jitter = 0.1
	for range 100 {
		if d, _ := p.next(2, 0); d < 5*time.Minute || d > 330*time.Second {
			t.Errorf("5m became %v", d)
		}
	}
	if d, _ := p.next(1, 100*time.Hour); d != p.Longest {
		t.Errorf("it waits %v", d)
	}
}

func TestALargeResultIsLeftOut(t *testing.T) {
	id, _ := newID(t)
	answer := &scorev1.Answer{CorrelationId: id.String(), Score: &scorev1.Score{}}
	e := event{Type: Completed, At: at(0), Status: "READY"}
	has := func() bool {
		body, err := e.body(id, "/x", answer)
		var p payload
		if err != nil || json.Unmarshal(body, &p) != nil || len(body) >= maxBody {
			t.Fatalf("%d bytes, %v", len(body), err)
		}
		return p.Data.Answer != nil && wire.JSON.Unmarshal(p.Data.Answer, &scorev1.Answer{}) == nil
	}
	if !has() {
		t.Error("a small result is left out")
	}
	answer.Score.Sources = []string{strings.Repeat("x", maxBody)}
	if has() {
		t.Error("a large result is not left out")
	}
}

func TestSecrets(t *testing.T) {
	s, err := newSecret("", at(0))
	if err != nil || checkSymmetric(s.Symmetric) != nil || !strings.HasPrefix(s.public(), publicPrefix) {
		t.Errorf("%+v %v", s, err)
	}
	for _, bad := range []string{
		"", "whsec_", "secret", symmetricPrefix + encoding.EncodeToString(make([]byte, minSecret-1)),
		symmetricPrefix + encoding.EncodeToString(make([]byte, maxSecret+1)), encoding.EncodeToString(make([]byte, secretLen)),
	} {
		if checkSymmetric(bad) == nil {
			t.Errorf("%q is taken", bad)
		}
		if _, err := sign([]secret{{Symmetric: bad, Private: s.Private}}, "msg_1", at(0), nil); err == nil {
			t.Errorf("%q signs", bad)
		}
	}
	s.ValidUntil = at(10)
	if _, err := sign([]secret{s}, "msg_1", at(10), nil); err == nil {
		t.Error("a secret signs after its end")
	}
}

func TestRotation(t *testing.T) {
	e := &endpoint{Secrets: []secret{{Symmetric: "0"}}}
	for i := range 6 {
		e.rotate(secret{Symmetric: string(rune('1' + i))}, at(i), 10*time.Second)
	}
	var got []string
	for _, s := range e.Secrets {
		got = append(got, s.Symmetric)
	}
	if diff := cmp.Diff([]string{"6", "5", "4", "3"}, got); diff != "" {
		t.Error(diff)
	}
	if !e.Secrets[0].valid(at(1000)) || !e.Secrets[1].valid(at(14)) || e.Secrets[1].valid(at(15)) {
		t.Errorf("%+v", e.Secrets)
	}
	e.rotate(secret{Symmetric: "7"}, at(100), time.Hour)
	if len(e.Secrets) != 2 {
		t.Errorf("%+v", e.Secrets)
	}
}
