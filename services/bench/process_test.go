package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// process is a process of the benchmark. It ends with the test.
type process struct {
	name  string
	ready string // what it said when it was ready
	cmd   *exec.Cmd
	log   bytes.Buffer // its standard error; to be read when it has ended
	ended chan struct{}
}

// start starts this binary in a role and returns when the role is ready.
func start(t testing.TB, role string, env ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var args []string
	if *profiles != "" {
		args = append(args, "-profiles="+*profiles)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, role, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		<-p.ended
		t.Fatalf("%s is not ready: %v\n%s", role, err, p.log.String())
	}
	p.ready = strings.TrimSpace(line)
	return p
}

// launch starts a process. Its standard input stays open for as long as it is wanted: one that nobody stops ends with its parent.
func launch(t testing.TB, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, ended: make(chan struct{})}
	cmd.Stderr = &p.log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // how it ended does not matter: what it did not do is noticed
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = in.Close()
		p.end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.log.String())
		}
	})
	return p
}

// end returns when the process has ended, because of the signal or before.
func (p *process) end(signal os.Signal) {
	_ = p.cmd.Process.Signal(signal) // fails when it has ended
	select {
	case <-p.ended:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// memory is the resident memory of the process in bytes: what it has now, and the most it ever had.
func (p *process) memory(t testing.TB) (now, most int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kilobytes, _ := strconv.ParseInt(fields[1], 10, 64)
		switch fields[0] {
		case "VmRSS:":
			now = kilobytes << 10
		case "VmHWM:":
			most = kilobytes << 10
		}
	}
	return now, most
}

// tick is the unit of processor time in /proc.
const tick = 10 * time.Millisecond

// cpuOf is the processor time that the processes and this one have used, and of it that of the NATS server.
func cpuOf(t testing.TB, all []*process) (total, nats time.Duration) {
	t.Helper()
	total = cpuOfOne(t, os.Getpid())
	for _, p := range all {
		used := cpuOfOne(t, p.cmd.Process.Pid)
		total += used
		if p.name == serverRole {
			nats += used
		}
	}
	return total, nats
}

func cpuOfOne(t testing.TB, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // from the third on
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick
}

// goroutines ends the process by having the Go runtime tell of all its goroutines, and counts them.
func (p *process) goroutines() int {
	p.end(syscall.SIGQUIT)
	return bytes.Count(p.log.Bytes(), []byte("\ngoroutine "))
}

// server starts a NATS server with a store of its own.
func server(t testing.TB) (*process, string) {
	t.Helper()
	p := start(t, serverRole, storeVariable+"="+t.TempDir())
	return p, p.ready
}

// connect is a client's connection.
func connect(t testing.TB, url string) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// binaries builds the real ones into a directory.
func binaries(t testing.TB, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + string(filepath.Separator)}
	for _, name := range names {
		args = append(args, "../cmd/"+name)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// untilParentEnds returns a context that ends with the standard input.
func untilParentEnds() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return ctx
}
