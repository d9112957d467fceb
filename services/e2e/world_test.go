package e2e

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// The products of a world; their deadline leaves room for everything but the last one's.
const (
	credit = "credit" // its backend is called and answers
	fraud  = "fraud"  // the same, but it must not be called twice
	report = "report" // its backend notifies
	silent = "silent" // its backend should notify and does not: its deadline is near
)

const products = `products:
  credit: {deadline: 50s, failure_memo: 100ms, backend: {kind: http, url: "{url}", attempts: 2}}
  fraud: {deadline: 50s, failure_memo: 50s, backend: {kind: http, url: "{url}", call: at-most-once}}
  report: {deadline: 50s, failure_memo: 100ms, backend: {kind: http-callback, url: "{url}"}}
  silent: {deadline: 2s, failure_memo: 50s, backend: {kind: http-callback, url: "{url}"}}
`

// world is a suite of processes on a NATS server that is a process too. All of them can be killed, and started again.
type world struct {
	*witness
	t      testing.TB
	dir    string
	secret []byte

	address  string   // of NATS
	settings []string // flags of all services
	secrets  []string // flags of those that need the secret

	nats       *service
	gateway    *service
	correlator *service
	adapter    *service
	services   []*service
}

// service is a binary with its arguments, which runs, or not.
type service struct {
	w      *world
	name   string
	binary string
	args   []string
	says   string // when it is ready
	proxy  *proxy // nil for NATS itself

	mu        sync.Mutex
	processes []*process // all there were; the last one runs, or was killed
}

// newWorld makes a world in which nothing runs yet.
func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), secret: []byte(rand.Text() + rand.Text())}
	b := newBackend(t)
	config := filepath.Join(w.dir, "config.yaml")
	secret := filepath.Join(w.dir, "secret")
	for path, content := range map[string]string{config: strings.ReplaceAll(products, "{url}", b.server.URL), secret: string(w.secret)} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.address = "127.0.0.1:" + freePort(t)
	w.settings = []string{"--config", config}
	w.secrets = []string{"--config", config, "--secret-file", secret}
	w.nats = &service{
		w: w, name: "nats", binary: "nats-server", says: "Server is ready",
		args: []string{"-a", "127.0.0.1", "-p", strings.Split(w.address, ":")[1], "-js", "-sd", filepath.Join(w.dir, "nats")},
	}
	w.services = []*service{w.nats}
	w.gateway, w.correlator, w.adapter = w.addGateway("gateway"), w.addCorrelator("correlator"), w.addAdapter("adapter")

	nc, err := nats.Connect("nats://"+w.address, nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1),
		nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0), nats.ReconnectBufSize(-1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	w.witness = newWitness(t, nc, b, w.secret)
	t.Cleanup(func() {
		if t.Failed() {
			w.tell()
		}
	})
	return w
}

// Any number of each may be added before the world begins.
func (w *world) addGateway(name string) *service {
	return w.add(name, "gateway", "serving", w.secrets...)
}

func (w *world) addCorrelator(name string) *service {
	return w.add(name, "correlator", "settling", slices.Concat(w.settings, []string{"--ack-wait", "1s", "--sweep-every", "1s", "--park", "2s"})...)
}

func (w *world) addAdapter(name string) *service {
	listen := "127.0.0.1:" + freePort(w.t)
	return w.add(name, "backend-adapter", "working", slices.Concat(w.secrets, []string{"--ack-wait", "1s", "--listen", listen})...)
}

func (w *world) add(name, binary, says string, args ...string) *service {
	s := &service{w: w, name: name, binary: binary, says: says, proxy: newProxy(w.t, w.address)}
	s.args = append([]string{"--nats-url", s.proxy.url()}, args...)
	w.services = append(w.services, s)
	return s
}

// begin starts everything and returns when it is ready.
func (w *world) begin() {
	w.t.Helper()
	w.nats.restart()
	var started []*process
	for _, s := range w.services[1:] {
		started = append(started, s.launch())
	}
	for _, p := range started {
		if err := p.awaitReady(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// launch starts a service that does not run, and does not wait for it.
func (s *service) launch() *process {
	s.w.t.Helper()
	p, err := s.start()
	if err != nil {
		s.w.t.Fatal(err)
	}
	return p
}

// restart starts a service that does not run and returns when it is ready.
func (s *service) restart() {
	s.w.t.Helper()
	if err := s.launch().awaitReady(); err != nil {
		s.w.t.Fatal(err)
	}
}

func (s *service) start() (*process, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := start(s.w.t, s.binary, s.says, s.args...)
	if err == nil {
		s.processes = append(s.processes, p)
	}
	return p, err
}

// kill is kill -9; it returns when the process is gone.
func (s *service) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes[len(s.processes)-1].kill()
}

// crashAt has victim die at a moment of s, once; what it returns is closed when that has happened.
func (s *service) crashAt(m moment, victim *service) <-chan struct{} {
	struck := make(chan struct{})
	s.proxy.arm(&crash{moment: m, kill: victim.kill, other: victim != s, struck: struck})
	return struck
}

// said is all that the processes wrote.
func (w *world) said() (lines []string) {
	for _, s := range w.services {
		s.mu.Lock()
		processes := slices.Clone(s.processes)
		s.mu.Unlock()
		for _, p := range processes {
			for _, line := range p.said() {
				lines = append(lines, s.name+": "+line)
			}
		}
	}
	return lines
}

// tell logs all that the processes wrote.
func (w *world) tell() {
	w.t.Logf("store: %s", w.dir)
	for _, line := range w.said() {
		if !strings.Contains(line, "[INF]") {
			w.t.Log(line)
		}
	}
}

// discreet looks for customers where none may be: in all that was written, and in the names of files.
func (w *world) discreet(customers ...string) error {
	for _, customer := range customers {
		for _, line := range w.said() {
			if strings.Contains(line, customer) {
				return fmt.Errorf("a customer's ID was logged: %s", line)
			}
		}
	}
	return filepath.WalkDir(w.dir, func(path string, _ os.DirEntry, err error) error {
		for _, customer := range customers {
			if strings.Contains(path, customer) {
				return fmt.Errorf("a customer's ID is in a file's name: %s", path)
			}
		}
		return err
	})
}
