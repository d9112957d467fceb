package httpbridge

import (
	"fmt"
	"testing"
	"time"
)

func TestPrefer(t *testing.T) {
	for header, want := range map[string]string{
		"":                                       "false -",
		"respond-async":                          "true -",
		"Respond-Async, Wait=10":                 "true 10s",
		"wait=10; foo=bar, respond-async;x":      "true 10s",
		`wait="7"`:                               "false 7s",
		"wait = 7":                               "false 7s",
		"wait=1, wait=2":                         "false 1s",
		"wait=x, wait=2":                         "false -",
		"wait=-1":                                "false -",
		"wait":                                   "false -",
		"wait=1.5":                               "false -",
		"wait=99999999999999999999":              "false 596523h14m7s",
		`foo="a, wait=3", wait=4`:                "false 4s",
		`foo="a\", wait=3", wait=4`:              "false 4s",
		`foo="open, wait=3`:                      "false -",
		"respond-async=":                         "false -",
		`respond-async=""`:                       "true -",
		"respond-async=1":                        "false -",
		", ,,wait=3,":                            "false 3s",
		"wait=3 x, respond-async":                "true -",
		"handling=lenient, return=minimal":       "false -",
		"wait=3\x00":                             "false -",
		"depth-noroot; respond-async, wait = 03": "false 3s",
	} {
		p := parsePrefer([]string{header})
		got := fmt.Sprint(p.async, " -")
		if p.wait != nil {
			got = fmt.Sprint(p.async, " ", *p.wait)
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", header, got, want)
		}
	}
	if p := parsePrefer([]string{"respond-async", "wait=5"}); !p.async || *p.wait != 5*time.Second {
		t.Error("two lines are one list")
	}
}

func TestCacheControl(t *testing.T) {
	f := parseCacheControl([]string{"MAX-AGE=60, min-fresh=5, no-cache", "only-if-cached, no-transform, max-age=1"})
	if *f.maxAge != time.Minute || *f.minFresh != 5*time.Second || !f.noCache || !f.onlyIfCached {
		t.Errorf("%+v", f)
	}
	if f := parseCacheControl([]string{"max-age=x, min-fresh, no-store, max-stale=3"}); f != (freshness{}) {
		t.Errorf("%+v", f)
	}
}

func TestIfNoneMatch(t *testing.T) {
	for header, want := range map[string]bool{
		`"r1-j1"`: true, `W/"r1-j1"`: true, `"x","r1-j1"`: true, ` "a,b" , W/"x" ,, "r1-j1"`: true, `*`: true,
		`r1-j1`: false, `"r1-j1`: false, `"r2-j1"`: false, `w/"r1-j1"`: false, ``: false, `"x" "r1-j1"`: true, `, `: false,
	} {
		if matches([]string{header}, `"r1-j1"`) != want {
			t.Errorf("%q: not %v", header, want)
		}
	}
}

// Whatever stands in a header, it is read in bounded time, and only what is known is understood.
func FuzzHeaders(f *testing.F) {
	for _, s := range []string{"respond-async, wait=10", `foo="a\", wait=3"; x, wait=4`, "max-age=60, only-if-cached", `W/"a", "b"`, `"`, `\`, "=,=;="} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		lines := []string{one, two}
		if p := parsePrefer(lines); p.wait != nil && *p.wait < 0 {
			t.Fatal(*p.wait)
		}
		parseCacheControl(lines)
		parseList(lines, func(name, _ string) {
			if name == "" {
				t.Fatal("an element without name")
			}
		})
		if matches(lines, `"r1-j1"`) && one == "" && two == "" {
			t.Fatal("nothing matches")
		}
	})
}
