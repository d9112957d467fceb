package trace_test

import (
	"strings"
	"testing"

	"github.com/scoreflow/scoreflow/pkg/trace"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, parent, state string
		want                trace.Context
	}{
		{"valid", parent, "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE", trace.Context{Parent: parent, State: "rojo=00f067aa0ba902b7, congo=t61rcWkgMzE"}},
		{"no state", parent, "", trace.Context{Parent: parent}},
		{"state without parent", "", "a=b", trace.Context{}},
		{"upper case", strings.ToUpper(parent), "", trace.Context{}},
		{"version ff", "ff" + parent[2:], "", trace.Context{}},
		{"version 00 goes on", parent + "-01", "", trace.Context{}},
		{"a later version goes on", "01" + parent[2:] + "-what-will-be", "", trace.Context{Parent: "01" + parent[2:] + "-what-will-be"}},
		{"a later version goes on without a dash", "01" + parent[2:] + "x", "", trace.Context{}},
		{"trace id 0", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "", trace.Context{}},
		{"parent id 0", "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "", trace.Context{}},
		{"cut", parent[:54], "", trace.Context{}},
		{"a line break", parent[:54] + "\n", "", trace.Context{}},
		{"bad state", parent, "no equals sign", trace.Context{Parent: parent}},
		{"line break in the state", parent, "a=b\r\nX: y", trace.Context{Parent: parent}},
		{"long state", parent, "a=" + strings.Repeat("b", 600), trace.Context{Parent: parent}},
		{"33 members", parent, strings.Repeat("a=b,", 32) + "a=b", trace.Context{Parent: parent}},
	} {
		if got := trace.Parse(c.parent, c.state); got != c.want {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func TestHeaders(t *testing.T) {
	want := trace.Context{Parent: parent, State: "a=b,c=d"}
	h := map[string][]string{"Traceparent": {parent}, "TRACESTATE": {"a=b", "c=d"}}
	if got := trace.FromHeader(h); got != want {
		t.Errorf("got %+v", got)
	}
	h = map[string][]string{}
	want.Set(h)
	if got := trace.FromHeader(h); got != want || len(h["traceparent"]) != 1 {
		t.Errorf("got %+v of %v", got, h)
	}
	if got := trace.FromHeader(map[string][]string{"traceparent": {parent, parent}}); got != (trace.Context{}) {
		t.Errorf("of two parents: %+v", got)
	}
	if got := trace.From(trace.With(t.Context(), want)); got != want {
		t.Errorf("got %+v", got)
	}
}

// What is taken over can stand in any header: it is printable and of bounded length.
func FuzzParse(f *testing.F) {
	f.Add(parent, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
	f.Add("01"+parent[2:]+"-x", "@=/")
	f.Fuzz(func(t *testing.T, parent, state string) {
		got := trace.Parse(parent, state)
		if len(got.Parent) > 128 || len(got.State) > 512 || got.Parent == "" && got.State != "" {
			t.Fatalf("%+v", got)
		}
		for _, r := range got.Parent + got.State {
			if (r < ' ' || r > '~') && r != '\t' {
				t.Fatalf("%+v", got)
			}
		}
		if trace.Parse(got.Parent, got.State) != got {
			t.Fatalf("%+v is not stable", got)
		}
	})
}
