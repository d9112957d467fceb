package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/nats-io/nats.go"
	"golang.org/x/term"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// connectWithin is how long a person is kept waiting to hear that NATS is not there.
const connectWithin = 2 * time.Second

// Env is what a command works with.
type Env struct {
	Ctx      context.Context
	Stdout   io.Writer
	Stderr   io.Writer
	Terminal bool // Stderr is one, so a line may be drawn over
	JSON     bool // documents are printed as the contract writes them
	Connect  func() (*nats.Conn, error)
}

// Flags are what all client commands have in common.
type Flags struct {
	Server string `name:"nats-url" aliases:"server" short:"s" env:"NATS_URL" help:"Where NATS is." default:"nats://127.0.0.1:4222"`
	Creds  string `name:"nats-creds" aliases:"creds" help:"File with the credentials for NATS." placeholder:"FILE"`
	Output string `short:"o" help:"How documents are printed: ${enum}." enum:"text,json" default:"text"`
}

// Help is called by kong.
func (Flags) Help() string { return exitCodes }

// ProvideEnv is called by kong for a command that runs.
func (f Flags) ProvideEnv(ctx context.Context, k *kong.Kong) *Env {
	stderr, isFile := k.Stderr.(*os.File)
	return &Env{
		Ctx: ctx, Stdout: k.Stdout, Stderr: k.Stderr, JSON: f.Output == "json", Connect: f.connect,
		Terminal: isFile && term.IsTerminal(int(stderr.Fd())) && os.Getenv("TERM") != "dumb",
	}
}

func (f Flags) connect() (*nats.Conn, error) {
	opts := []nats.Option{
		nats.Name("scoreflow-cli"), nats.Timeout(connectWithin), nats.MaxReconnects(-1), nats.ReconnectWait(250 * time.Millisecond),
	}
	if f.Creds != "" {
		opts = append(opts, nats.UserCredentials(f.Creds))
	}
	nc, err := nats.Connect(f.Server, opts...)
	if err != nil {
		return nil, fault.New(scorev1.Code_UNAVAILABLE,
			"NATS cannot be reached at %s (%s); `make run` starts one, --server says where else one is",
			bus.Redact(f.Server), strings.TrimPrefix(err.Error(), "nats: "))
	}
	return nc, nil
}

// answer has ask get an answer, prints it, and tells what it means.
func (e *Env) answer(ask func(*client.Client) (*scorev1.Answer, error)) error {
	var a *scorev1.Answer
	err := e.client(func(c *client.Client) (err error) {
		a, err = ask(c)
		return err
	})
	if err != nil {
		return err
	}
	if err := e.print(a, func() string { return answerText(a, time.Now()) }); err != nil {
		return err
	}
	return outcome(a)
}

// client runs do with a client. An error that has a document of its own is also printed as such.
func (e *Env) client(do func(*client.Client) error) error {
	nc, err := e.Connect()
	if err == nil {
		defer nc.Close()
		err = do(client.New(nc))
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		if errors.Is(err, context.Canceled) {
			return errors.New("interrupted")
		}
		return err
	}
	if e.JSON {
		if err := e.printJSON(wire.JSON.ErrorMessage("", f).Data); err != nil {
			return err
		}
	}
	if !f.CalculatedAt.IsZero() {
		return fmt.Errorf("%w (it was calculated at %s)", err, clock(f.CalculatedAt))
	}
	return err
}
