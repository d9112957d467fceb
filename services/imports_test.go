package services_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const root = "github.com/scoreflow/scoreflow/"

// modules is which modules each may import, besides those of others.
var modules = map[string][]string{
	"proto":    {},
	"pkg":      {"proto", "pkg"},
	"services": {"proto", "pkg", "services"},
}

// composers may import the services; a service imports no other.
var composers = []string{"bench", "cli", "cmd", "dev", "e2e"}

type importer struct {
	ImportPath string
	Imports    []string // without those of tests
}

func TestImportsFlowOneWay(t *testing.T) {
	for _, from := range list(t, "work") {
		module, name := place(from.ImportPath)
		for _, path := range from.Imports {
			toModule, toName := place(path)
			if toModule == "" {
				continue
			}
			if !slices.Contains(modules[module], toModule) {
				t.Errorf("%s imports %s: %s may import only %v", from.ImportPath, path, module, modules[module])
			}
			if toModule == "services" && name != toName && !slices.Contains(composers, name) {
				t.Errorf("%s imports %s: no service imports another", from.ImportPath, path)
			}
		}
	}
}

func TestImportsOfTheServerAreThoseOfScoreflow(t *testing.T) {
	for _, binary := range list(t, "./cmd/...") {
		links := slices.ContainsFunc(list(t, "-deps", binary.ImportPath), func(dependency importer) bool {
			return strings.HasPrefix(dependency.ImportPath, "github.com/nats-io/nats-server/")
		})
		if want := strings.HasSuffix(binary.ImportPath, "/scoreflow"); links != want {
			t.Errorf("%s links nats-server: %v", binary.ImportPath, links)
		}
	}
}

// place is the module and the first folder in it; both are empty for what is not ours.
func place(path string) (module, name string) {
	rest, ours := strings.CutPrefix(path, root)
	if !ours {
		return "", ""
	}
	module, rest, _ = strings.Cut(rest, "/")
	name, _, _ = strings.Cut(rest, "/")
	return module, name
}

func list(t *testing.T, args ...string) []importer {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	var packages []importer
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p importer
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
