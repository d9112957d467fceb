package bench

import (
	"strconv"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
)

// inbox is where the replies to numbered requests come in.
type inbox struct {
	nc     *nats.Conn
	prefix string
}

func newInbox(t *testing.T, nc *nats.Conn, see func(number string, msg *nats.Msg)) inbox {
	t.Helper()
	in := inbox{nc, nats.NewInbox() + "."}
	listen(t, nc, in.prefix+"*", func(msg *nats.Msg) { see(msg.Subject[len(in.prefix):], msg) })
	return in
}

func (in inbox) ask(msg *nats.Msg, number int64) error {
	msg.Reply = in.prefix + strconv.FormatInt(number, 10)
	return in.nc.PublishMsg(msg)
}

func listen(t *testing.T, nc *nats.Conn, subj string, see func(*nats.Msg)) {
	t.Helper()
	sub, err := nc.Subscribe(subj, see)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		t.Fatal(err)
	}
}

// pairs brings together what is accepted, by the number of a submission, and what is told, by an ID that may be known only afterwards.
type pairs struct {
	mu   sync.Mutex
	done map[string]func(error) // by number: until it is accepted
	open map[string]func(error) // by ID: accepted and not told yet
	told map[string]bool        // by ID: told, and not accepted yet
}

func newPairs() *pairs {
	return &pairs{done: map[string]func(error){}, open: map[string]func(error){}, told: map[string]bool{}}
}

func (p *pairs) submitted(number int64, done func(error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done[strconv.FormatInt(number, 10)] = done
}

func (p *pairs) accepted(number, id string, err error) {
	p.mu.Lock()
	done := p.done[number]
	delete(p.done, number)
	if err == nil && !p.told[id] {
		p.open[id], done = done, nil
	}
	delete(p.told, id)
	p.mu.Unlock()
	if done != nil {
		done(err)
	}
}

func (p *pairs) announced(id string) {
	p.mu.Lock()
	done := p.open[id]
	delete(p.open, id)
	if done == nil {
		p.told[id] = true
	}
	p.mu.Unlock()
	if done != nil {
		done(nil)
	}
}
