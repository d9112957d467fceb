//go:build outside

package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var (
	tour    = regexp.MustCompile("(?s)```sh\n(api=.*?)```")
	command = regexp.MustCompile(`^(curl .*?) +# (\d{3}): (.*)$`)
)

// TestTheTourOfTheREADME has curl do what the README says, and compares what comes back: the status, and each of the words behind it that
// are no prose: those with a colon, an underscore or an equals sign in them.
func TestTheTourOfTheREADME(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	found := tour.FindSubmatch(text)
	if found == nil {
		t.Fatal("the README has no tour")
	}
	told := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.Header.Get("Webhook-Signature") }))
	t.Cleanup(receiver.Close)
	listen, admin := startDev(t)
	script := strings.NewReplacer("127.0.0.1:8080", listen, "127.0.0.1:8081", admin, "127.0.0.1:9999", receiver.Listener.Addr().String()).
		Replace(string(found[1]))

	const mark = "===== next =====\n"
	var all strings.Builder
	var commands [][]string
	for line := range strings.Lines(script) {
		if c := command.FindStringSubmatch(strings.TrimSpace(line)); c != nil {
			commands = append(commands, c)
			fmt.Fprintf(&all, "printf '%%s' '%s'\n", mark)
		}
		all.WriteString(line)
	}
	out, err := exec.CommandContext(t.Context(), "bash", "-c", all.String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	answers := strings.Split(string(out), mark)[1:]
	if len(answers) != len(commands) || len(commands) < 15 {
		t.Fatalf("%d commands, %d answers", len(commands), len(answers))
	}
	for i, c := range commands {
		if !strings.HasPrefix(answers[i], "HTTP/1.1 "+c[2]+" ") {
			t.Errorf("%s\nwant %s, got %s", c[1], c[2], answers[i])
		}
		if !strings.HasSuffix(answers[i], "\n") {
			t.Errorf("%s\nwhat comes next stands in the line of %s", c[1], answers[i])
		}
		for want := range strings.SplitSeq(c[3], "; ") {
			if strings.ContainsAny(want, ":_=") && !strings.Contains(answers[i], want) {
				t.Errorf("%s\nwant %q in %s", c[1], want, answers[i])
			}
		}
	}
	select {
	case signature := <-told:
		if !strings.HasPrefix(signature, "v1,") {
			t.Errorf("the endpoint was told with signature %q", signature)
		}
	case <-time.After(patience):
		t.Error("the endpoint was not told")
	}
}

// startDev runs what `make run` runs, only faster. listen and admin are where its bridge is.
func startDev(t *testing.T) (listen, admin string) {
	t.Helper()
	listen, admin = "127.0.0.1:"+freePort(t), "127.0.0.1:"+freePort(t)
	p, err := start(t, "scoreflow", "serving", "dev", "--store", filepath.Join(t.TempDir(), "data"), "--nats-port", "0", "--demo-pace", "0.1",
		"--adapter-listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0", "--http-listen", listen, "--http-admin", admin)
	if err == nil {
		err = p.awaitReady()
	}
	if err != nil {
		t.Fatal(err)
	}
	return listen, admin
}
