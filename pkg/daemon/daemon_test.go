package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/scoreflow/scoreflow/pkg/product"
)

// grammar is that of a service with two settings of its own.
type grammar struct {
	Settings
	Secret
	MaxWait time.Duration `help:"-" default:"1s"`
	Strict  bool          `help:"-"`

	run func(context.Context) error
}

func (g *grammar) Run(ctx context.Context) error { return g.run(ctx) }

func TestOrderOfSources(t *testing.T) {
	file := write(t, "max_wait: 2s\n")
	for _, test := range []struct {
		name, env string
		args      []string
		want      time.Duration
	}{
		{"default", "", nil, time.Second},
		{"file over default", "", []string{"--config", file}, 2 * time.Second},
		{"environment over file", "3s", []string{"--config", file}, 3 * time.Second},
		{"flag over environment and file", "3s", []string{"--max-wait", "4s", "--config", file}, 4 * time.Second},
		{"environment over default", "3s", nil, 3 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("SCOREFLOW_MAX_WAIT", test.env)
			if got := parsed(t, test.args...); got.MaxWait != test.want {
				t.Errorf("got %v, want %v", got.MaxWait, test.want)
			}
		})
	}
}

func TestFileFromEnvironment(t *testing.T) {
	t.Setenv("SCOREFLOW_CONFIG", write(t, "max_wait: 2s"))
	if got := parsed(t); got.MaxWait != 2*time.Second {
		t.Errorf("got %v", got.MaxWait)
	}
	if got := parsed(t, "--config", write(t, "max_wait: 5s")); got.MaxWait != 5*time.Second {
		t.Errorf("the flag does not win: got %v", got.MaxWait)
	}
}

func TestEnvironmentDoesNotAskForHelp(t *testing.T) {
	t.Setenv("SCOREFLOW_HELP", "1")
	t.Setenv("SCOREFLOW_VERSION", "1.2.3")
	parsed(t) // would end the process
}

func TestFile(t *testing.T) {
	got := parsed(t, "--config", write(t, `
# whoever reads this file knows why
nats_url: nats://one:4222, nats://two:4222
log_level: debug
replicas: 3
strict: true
nats_creds:
products:
  credit:
    deadline: 2m
    validity: 12h
    backend:
      kind: http
      url: http://127.0.0.1:8090/credit
      call: at-most-once
      concurrency: 4
`))
	if got.NATSURL != "nats://one:4222, nats://two:4222" || got.LogLevel != "debug" || got.Replicas != 3 || !got.Strict || got.NATSCreds != "" {
		t.Errorf("got %+v", got)
	}
	want := product.Catalog{"credit": {
		Deadline: 2 * time.Minute, Validity: 12 * time.Hour,
		Backend: product.Backend{Kind: product.HTTP, URL: "http://127.0.0.1:8090/credit", Call: product.AtMostOnce, Concurrency: 4},
	}}.WithDefaults()
	if diff := cmp.Diff(want, got.Products); diff != "" {
		t.Error(diff)
	}
}

func TestFileThatSaysNothing(t *testing.T) {
	for _, content := range []string{"", "# nothing\n", "---\n"} {
		if got := parsed(t, "--config", write(t, content)); got.MaxWait != time.Second || got.Products != nil {
			t.Errorf("%q: got %+v", content, got)
		}
	}
}

func TestErrorsOfTheFileHaveItsLine(t *testing.T) {
	for content, want := range map[string]string{
		"log_level: info\nmax_wiat: 2s\n":                  `:2: unknown setting "max_wiat"`,
		"max-wait: 2s\n":                                   `:1: unknown setting "max-wait"`,
		"config: other.yaml\n":                             `:1: unknown setting "config"`,
		"help: true\n":                                     `:1: unknown setting "help"`,
		"max_wait: 2s\nmax_wait: 3s\n":                     `:2: mapping key "max_wait" already defined at [1:1]`,
		"\nmax_wait: [2s]\n":                               `:2: max_wait is not a single value`,
		"- max_wait\n":                                     `:1: this is not a mapping of settings`,
		"max_wait: 2s\n---\nmax_wait: 3s\n":                `: there is more than one document in it`,
		"max_wait: \"2s\n":                                 `:1: could not find end character of double-quoted text`,
		"products: credit\n":                               `:1: products is not a mapping of products by name`,
		"products:\n  credit:\n    deadlin: 5m\n":          `:3: unknown field "deadlin"`,
		"products:\n  credit:\n    deadline: 5 minutes\n":  `:3: products.credit: time: unknown unit " minutes" in duration "5 minutes"`,
		"products:\n  credit:\n    backend:\n      uri: x": `:4: unknown field "uri"`,
	} {
		path := write(t, content)
		_, err := try("--config", path)
		if err == nil || err.Error() != path+want {
			t.Errorf("%q: got %v\nwant %s", content, err, want)
		}
	}
}

func TestErrorsNameTheSetting(t *testing.T) {
	for _, args := range [][]string{
		{"--max-wait", "soon"},
		{"--replicas", "0"},
		{"--replicas", "many"},
		{"--nats-url", "localhost"},
		{"--nats-creds", "/does/not/exist"},
		{"--log-level", "loud"},
		{"--log-format", "xml"},
		{"--config", "/does/not/exist"},
	} {
		_, err := try(args...)
		if err == nil || !strings.Contains(err.Error(), args[0]) || strings.Contains(err.Error(), "\n") || exitCode(err) != exitUsage {
			t.Errorf("%v: got %v", args, err)
		}
	}
}

func TestSecret(t *testing.T) {
	secret := strings.Repeat("s", 32)
	got, err := (&Secret{SecretFile: write(t, secret+" \r\n")}).Read()
	if err != nil || string(got) != secret {
		t.Errorf("got %q, %v", got, err)
	}
	for _, file := range []string{"", "/does/not/exist", write(t, secret[1:]+"\n")} {
		_, err := (&Secret{SecretFile: file}).Read()
		if err == nil || !strings.HasPrefix(err.Error(), "--secret-file: ") || exitCode(err) != exitUsage {
			t.Errorf("%q: got %v", file, err)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for want, result := range map[int]error{0: nil, exitFailed: errors.New("failed"), exitUsage: usageError{errors.New("wrong")}} {
		g := &grammar{run: func(ctx context.Context) error { return errors.Join(ctx.Err(), result) }}
		if got := run("test", "Tests.", g, nil); got != want {
			t.Errorf("%v: got %d, want %d", result, got, want)
		}
	}
	if got := run("test", "Tests.", &grammar{}, []string{"--no-such-flag"}); got != exitUsage {
		t.Errorf("unknown flag: got %d", got)
	}
}

func try(args ...string) (*grammar, error) {
	g := &grammar{}
	_, err := parse("test", "Tests.", g, args)
	return g, err
}

func parsed(t *testing.T, args ...string) *grammar {
	t.Helper()
	g, err := try(args...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
