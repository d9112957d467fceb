package cli_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
	"github.com/scoreflow/scoreflow/services/cli"
	"github.com/scoreflow/scoreflow/services/dev/devtest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"scoreflow": func() {
		daemon.Main("scoreflow", "A client.", &struct{ cli.Commands }{})
	}})
}

// TestScripts runs the scripts of testdata against the whole suite. They have a few commands of their own:
//
//	exits CODE COMMAND ...   run a command, which must end with this exit code
//	keep VARIABLE REGEXP     set a variable to what the regexp's group matches in the last standard output
//	answer STATUS            the last standard output must be an answer as JSON, with this status
//	token VARIABLE CID       set a variable to the token that the backend of product "report" got
func TestScripts(t *testing.T) {
	url, backend := devtest.Run(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("NATS_URL", url)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else each command takes a second to end
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "keep": keep, "answer": answer,
			"token": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv(args[0], backend.Call(args[1]).Token)
			},
		},
	})
}

func TestInterruptedWait(t *testing.T) {
	url, _ := devtest.Run(t)
	ctx, interrupt := context.WithCancel(t.Context())
	var out bytes.Buffer
	request := cli.RequestCmd{Customer: "42", Product: "report"}
	err := request.Run(&cli.Env{
		Ctx: ctx, Stdout: &out, Stderr: onWrite(interrupt), Connect: func() (*nats.Conn, error) { return nats.Connect(url) },
	})
	coder, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err)
	if !ok || coder.ExitCode() != 3 || !strings.Contains(err.Error(), "scoreflow watch") || out.Len() > 0 {
		t.Errorf("got %v, %q", err, out.String())
	}
}

// onWrite is called when something is written to it.
type onWrite func()

func (f onWrite) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func keep(ts *testscript.TestScript, _ bool, args []string) {
	match := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if match == nil {
		ts.Fatalf("%s is not in the standard output", args[1])
	}
	ts.Setenv(args[0], match[1])
}

func answer(ts *testscript.TestScript, _ bool, args []string) {
	var a scorev1.Answer
	ts.Check(wire.JSON.Unmarshal([]byte(ts.ReadFile("stdout")), &a))
	if a.Status.String() != args[0] {
		ts.Fatalf("status %v, want %s", a.Status, args[0])
	}
}
