// Package bench measures the suite against floors: programs that do nothing but what any answer to the same question needs, as well as
// one would write them. Floor and ours run in the same minute, on the same server, under the same load, in turns; what counts is their ratio.
//
// Everything is a process of its own, as in production, and talks over loopback TCP. Without -full everything runs only for a moment, so
// that it cannot rot: such figures mean nothing.
package bench

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

var (
	full     = flag.Bool("full", false, "measure; without it everything runs for a moment only")
	profiles = flag.String("profiles", "", "`directory` for the CPU profiles of the processes; works for all but those of cmd")
)

// TestMain is also the main of the processes that this binary starts of itself, see role_test.go.
func TestMain(m *testing.M) {
	flag.Parse()
	if name := os.Getenv(roleVariable); name != "" {
		if err := play(name); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// size is one value when measuring and another, small one, when only running.
func size[T any](measuring, running T) T {
	if *full {
		return measuring
	}
	return running
}

// rounds is how often floor and ours take turns, and turn how long each of them lasts.
func rounds() int         { return size(11, 1) }
func turn() time.Duration { return size(400*time.Millisecond, 50*time.Millisecond) }
