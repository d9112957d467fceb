// Package cli is the client commands of the scoreflow binary: to ask for scores, wait for them, and report or end calculations. They are a
// client like any other, for people and for scripts: what was asked for goes to standard output, everything else to standard error, and
// the exit code tells what came of it.
package cli

import (
	"errors"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Commands are the commands of a client. Embed them in the grammar of a binary that daemon.Main runs.
type Commands struct {
	Request RequestCmd `cmd:"" help:"Ask for a customer's score, and wait until it is there."`
	Watch   WatchCmd   `cmd:"" help:"Wait for the end of a calculation."`
	Fetch   FetchCmd   `cmd:"" help:"Look at a calculation or at a customer's score; never calculate."`
	Notify  NotifyCmd  `cmd:"" help:"Report, as a backend, what came of a calculation."`
	Abort   AbortCmd   `cmd:"" help:"End a calculation as cancelled, for everyone who waits for it."`
}

// The exit codes, besides 0, 1 for an error and 2 for a command line that is not understood.
const (
	exitPending = 3
	exitFailed  = 4
)

const exitCodes = `Exit codes:

	0  the score is there, or what was asked for is done
	1  an error; one line on standard error says which
	2  the command line is not understood
	3  the calculation goes on
	4  the calculation failed or was cancelled`

// exit is an error with an exit code of its own.
type exit struct {
	error
	code int
}

func (e exit) Unwrap() error { return e.error }

// ExitCode is for daemon.Main.
func (e exit) ExitCode() int { return e.code }

// outcome is what an answer means for the exit code.
func outcome(a *scorev1.Answer) error {
	switch a.Status {
	case scorev1.Status_READY:
		return nil
	case scorev1.Status_PENDING:
		return exit{errors.New("it is not there yet; to wait for it: scoreflow watch " + a.CorrelationId), exitPending}
	case scorev1.Status_CANCELLED:
		return exit{errors.New("the calculation was cancelled"), exitFailed}
	}
	return exit{errors.New("the calculation failed"), exitFailed}
}
