package e2e

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// startWithin is how long a process may take to be ready on a machine that does a lot else.
const startWithin = 60 * time.Second

// process is a running binary. What it writes to standard error is kept.
type process struct {
	cmd   *exec.Cmd
	ready chan struct{} // closed when it said so
	gone  chan struct{} // closed when it is reaped

	mu    sync.Mutex
	lines []string
}

// start starts a binary; it is ready when it writes a line with that text.
func start(t testing.TB, binary, ready string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(filepath.Join(binaries(t), binary), args...), ready: make(chan struct{}), gone: make(chan struct{})}
	bindToParent(p.cmd)
	out, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.gone)
		scan := bufio.NewScanner(out)
		said := false
		for scan.Scan() {
			p.mu.Lock()
			p.lines = append(p.lines, scan.Text())
			p.mu.Unlock()
			if !said && strings.Contains(scan.Text(), ready) {
				said = true
				close(p.ready)
			}
		}
		_ = p.cmd.Wait() // killed, as a rule
	}()
	t.Cleanup(p.kill)
	return p, nil
}

// awaitReady returns when the process is ready.
func (p *process) awaitReady() error {
	select {
	case <-p.ready:
		return nil
	case <-p.gone:
		return fmt.Errorf("%s has ended", p.cmd.Path)
	case <-time.After(startWithin):
		return fmt.Errorf("%s is not ready after %v", p.cmd.Path, startWithin)
	}
}

// kill is kill -9. It returns when the process is gone, and may be repeated.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails when it is gone
	<-p.gone
}

// said is what the process wrote so far.
func (p *process) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

var givenPorts sync.Map // no port is given twice

// freePort is a port that nobody listens on and that the kernel gives to nobody by itself.
func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := strconv.Itoa(10_000 + rand.N(20_000))
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue
		}
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("there is no free port")
	return ""
}
