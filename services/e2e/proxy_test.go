package e2e

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// moment is a point in the life of a process: a message passes between it and NATS.
type moment struct {
	subject  string // how the subject begins
	received bool   // the process receives it; else it sends it
	after    bool   // the message still passes; else it never does
}

// crash is a kill at a moment. Each strikes once.
type crash struct {
	moment
	kill   func()        // returns when the victim is dead
	other  bool          // the victim is not the process itself
	struck chan struct{} // closed when it has happened
}

// proxy stands between one process and NATS and reads what passes.
type proxy struct {
	listener net.Listener
	server   string

	mu    sync.Mutex
	armed *crash
}

func newProxy(t testing.TB, server string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, server: server}
	var under sync.WaitGroup
	under.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			under.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() { // the processes at both ends are gone
		l.Close()
		under.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.listener.Addr().String() }

// arm has a crash happen at the next message that it waits for; nil has none happen.
func (p *proxy) arm(c *crash) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = c
}

// strikes is the crash that happens at this message, if one does.
func (p *proxy) strikes(subject string, received bool) *crash {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.armed
	if c == nil || subject == "" || received != c.received || !strings.HasPrefix(subject, c.subject) {
		return nil
	}
	p.armed = nil
	return c
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return // the process tries again
	}
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() {
		p.pump(client, server, false)
		// The server reads all that it was sent before it sees the end. Closing at once could throw that away.
		_ = server.(*net.TCPConn).CloseWrite()
	})
	both.Go(func() {
		p.pump(server, client, true)
		client.Close()
		_, _ = io.Copy(io.Discard, server)
		server.Close()
	})
	both.Wait()
}

// pump forwards message by message until one end is gone, or a crash strikes.
func (p *proxy) pump(from, to net.Conn, received bool) {
	r, w := bufio.NewReaderSize(from, 64<<10), bufio.NewWriterSize(to, 64<<10)
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		if c := p.strikes(f.subject, received); c != nil {
			c.strike(func() {
				_, err := w.Write(f.bytes)
				_ = errors.Join(err, w.Flush()) // who is gone learns nothing
			})
			return
		}
		if _, err := w.Write(f.bytes); err != nil {
			return
		}
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
	}
}

// strike kills, and lets the message pass or not. A process that dies after a message is dead before that has any effect, so it can have
// learned nothing of it; NATS dies while it has the message in its hands.
func (c *crash) strike(pass func()) {
	defer close(c.struck)
	if c.after && c.other {
		pass()
	}
	c.kill()
	if c.after && !c.other {
		pass()
	}
}

// frame is one message of the protocol between client and server as it stands on the wire, and the subject of what it carries.
type frame struct {
	bytes   []byte
	subject string // empty unless it publishes or delivers something
}

func readFrame(r *bufio.Reader) (frame, error) {
	line, err := r.ReadBytes('\n')
	if err != nil {
		return frame{}, err
	}
	fields := bytes.Fields(line)
	if len(fields) < 3 {
		return frame{bytes: line}, nil
	}
	switch string(fields[0]) {
	case "PUB", "HPUB", "MSG", "HMSG":
	default:
		return frame{bytes: line}, nil
	}
	size, err := strconv.Atoi(string(fields[len(fields)-1]))
	if err != nil {
		return frame{}, fmt.Errorf("%q: %w", line, err)
	}
	whole := make([]byte, len(line)+size+2)
	copy(whole, line)
	_, err = io.ReadFull(r, whole[len(line):])
	return frame{bytes: whole, subject: string(fields[1])}, err
}
