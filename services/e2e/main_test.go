package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"
)

var soakFor = flag.Duration("soak", 10*time.Second, "how long TestSoak breaks things")

// build builds the binaries once, when the first test needs them. They are built without the race detector: they are what is installed.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "scoreflow-e2e-")
	if err != nil {
		return "", err
	}
	built = dir
	for _, packages := range []string{"../cmd/...", "github.com/nats-io/nats-server/v2"} {
		if out, err := exec.Command("go", "build", "-o", dir+"/", packages).CombinedOutput(); err != nil {
			return dir, fmt.Errorf("go build %s: %w\n%s", packages, err, out)
		}
	}
	return dir, nil
})

var built string // the directory that build made; empty when no test needed it

func binaries(t testing.TB) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMain(m *testing.M) {
	// The tests that run side by side wait for processes and for time to pass much more than they compute.
	_ = flag.Set("test.parallel", "8")
	flag.Parse()
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}
