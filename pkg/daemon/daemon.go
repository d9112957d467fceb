// Package daemon is how the processes of the suite are configured and how they live: the command line, its environment and file, the log,
// signals and exit codes. A main is one call of Main.
//
// A setting is looked for on the command line, then in the environment, then in the configuration file, then there is its default. One
// name serves all: --nats-url is SCOREFLOW_NATS_URL in the environment and nats_url in the file.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit codes of a process. An error with a method ExitCode() int chooses its own.
const (
	exitFailed = 1
	exitUsage  = 2 // it could not be started like this: the command line, the environment or the file must be changed
)

const sources = "\n\nEach flag may also stand in the environment, --nats-url as SCOREFLOW_NATS_URL."

// Main is the life of a process. It parses the command line into grammar, a struct as kong knows it, and calls the Run method of grammar
// or of the command that was chosen, which may take a context.Context: it ends with SIGINT and SIGTERM. A second signal ends the process
// at once. Main does not return.
func Main(name, help string, grammar any, options ...kong.Option) {
	os.Exit(run(name, help, grammar, os.Args[1:], options...))
}

func run(name, help string, grammar any, args []string, options ...kong.Option) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	defer runtime.KeepAlive(Ballast())

	command, err := parse(name, help, grammar, args, options...)
	if err == nil {
		command.BindTo(ctx, (*context.Context)(nil))
		err = command.Run()
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	return exitCode(err)
}

func parse(name, help string, grammar any, args []string, options ...kong.Option) (*kong.Context, error) {
	var version struct {
		Version kong.VersionFlag `help:"Print the version and end."`
	}
	values := &fileValues{}
	parser, err := kong.New(grammar, append([]kong.Option{
		kong.Name(name), kong.Description(help + sources),
		kong.Embed(&version),
		kong.Vars{"version": name + " " + Version()},
		kong.Bind(values), kong.Resolvers(values, kong.ResolverFunc(fromEnvironment)), // the last one that knows the flag wins
	}, options...)...)
	if err != nil {
		return nil, err
	}
	return parser.Parse(args)
}

// usageError is an error of whoever started the process.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }
func (usageError) ExitCode() int   { return exitUsage }

func exitCode(err error) int {
	var parse *kong.ParseError
	var coder interface{ ExitCode() int }
	switch {
	case errors.As(err, &parse):
		return exitUsage
	case errors.As(err, &coder):
		return coder.ExitCode()
	default:
		return exitFailed
	}
}
