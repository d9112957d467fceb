package webhook

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
)

// The states of a delivery.
const (
	waiting   = "waiting"   // for the result
	pending   = "pending"   // the receiver is to be told
	delivered = "delivered" // the receiver has said that it knows
	failed    = "failed"    // given up; a replay takes it up again
)

const maxAttempts = 50 // kept of a delivery, the last ones

// delivery is what is known of telling one endpoint of one result: the document in the bucket of deliveries. It holds no personal data.
type delivery struct {
	ID           string    `json:"id"` // of the message, the same in all attempts
	State        string    `json:"state"`
	RegisteredAt time.Time `json:"registered_at"`
	Event        event     `json:"event,omitzero"`     // unless it waits
	NextAt       time.Time `json:"next_at,omitzero"`   // of the next attempt while it is pending
	Failures     int       `json:"failures,omitempty"` // since the schedule began
	Attempts     []attempt `json:"attempts,omitempty"`
}

// attempt is one request to the receiver. It is stored before it is made: who finds one that never ended knows that a bridge died in it.
type attempt struct {
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took,omitempty"`
	Status  int           `json:"status,omitempty"`  // that the receiver answered
	Problem string        `json:"problem,omitempty"` // why there was none, or why it is no success
	Ended   bool          `json:"ended"`
}

// newDelivery is the delivery of a result that is not known yet. Its ID follows from what it is about, so there is only one.
func newDelivery(endpoint string, id correlation.ID, now time.Time) *delivery {
	sum := sha256.Sum256([]byte(endpoint + "\x00" + id.String()))
	name := base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])
	return &delivery{ID: "msg_" + strings.ToLower(name), State: waiting, RegisteredAt: now}
}

// readDelivery reads a document of the bucket.
func readDelivery(data []byte) (*delivery, error) {
	d := &delivery{}
	if err := json.Unmarshal(data, d); err != nil {
		return nil, fmt.Errorf("read delivery: %w", err)
	}
	switch {
	case d.ID == "" || d.State != waiting && d.Event.Type == "":
		return nil, errors.New("read delivery: it is incomplete")
	case d.State != waiting && d.State != pending && d.State != delivered && d.State != failed:
		return nil, errors.New("read delivery: its state is none")
	}
	return d, nil
}

// step is what is to be done for a delivery.
type step int

const (
	rest  step = iota // nothing, ever
	look              // for the result
	later             // look again at a time
	stand             // back until a time, by which another bridge has ended its attempt
	try               // now
)

// step says what is to be done now; abandoned is after how long an attempt is not under way any more.
func (d *delivery) step(now time.Time, abandoned time.Duration) (step, time.Time) {
	switch d.State {
	case waiting:
		return look, now
	case pending:
	default:
		return rest, now
	}
	if n := len(d.Attempts); n > 0 && !d.Attempts[n-1].Ended {
		if over := d.Attempts[n-1].At.Add(abandoned); now.Before(over) {
			return stand, over
		}
		return try, now
	}
	if now.Before(d.NextAt) {
		return later, d.NextAt
	}
	return try, now
}

// know makes a delivery pending that waited.
func (d *delivery) know(e event, now time.Time) { d.State, d.Event, d.NextAt = pending, e, now }

// begin adds an attempt. One that never ended was interrupted; that was not the receiver's fault, so it is no failure.
func (d *delivery) begin(now time.Time) {
	if n := len(d.Attempts); n > 0 && !d.Attempts[n-1].Ended {
		d.Attempts[n-1].Ended, d.Attempts[n-1].Problem = true, interrupted
	}
	d.Attempts = append(d.Attempts, attempt{At: now})
	d.Attempts = d.Attempts[max(0, len(d.Attempts)-maxAttempts):]
}

// end adds what came of the attempt that began at a time. When another has gone on without it, which only happens to a bridge that stood
// still for long, only a success still counts.
func (d *delivery) end(began time.Time, o outcome, policy Policy, now time.Time) {
	last := len(d.Attempts) - 1
	n := last
	for n >= 0 && !d.Attempts[n].At.Equal(began) {
		n--
	}
	if n < 0 {
		return
	}
	mine := &d.Attempts[n]
	current := n == last && !mine.Ended
	mine.Took, mine.Status, mine.Problem, mine.Ended = o.took, o.status, o.problem, true
	switch {
	case o.ok():
		d.State, d.NextAt = delivered, time.Time{}
	case !current || d.State != pending:
	case o.problem == interrupted || o.gone():
		d.NextAt = now
	default:
		d.Failures++
		wait, more := policy.next(d.Failures, o.retryAfter)
		if !more {
			d.State, d.NextAt = failed, time.Time{}
			return
		}
		d.NextAt = now.Add(wait)
	}
}

// again takes up a delivery that has ended.
func (d *delivery) again(now time.Time) { d.State, d.Failures, d.NextAt = pending, 0, now }

// ended says whether nothing more is going to happen.
func (d *delivery) ended() bool { return d.State == delivered || d.State == failed }
