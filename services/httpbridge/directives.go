package httpbridge

import (
	"math"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// preferences is what the header Prefer asks for (RFC 7240). What is not known, or cannot be, is ignored, as it must be.
type preferences struct {
	async bool           // respond-async
	wait  *time.Duration // wait
}

func parsePrefer(lines []string) preferences {
	var p preferences
	seen := map[string]bool{}
	parseList(lines, func(name, value string) {
		if seen[name] { // the first one counts
			return
		}
		seen[name] = true
		switch name {
		case "respond-async":
			p.async = value == "" // a preference whose value is empty is the same as one without
		case "wait":
			if d, ok := deltaSeconds(value); ok {
				p.wait = &d
			}
		}
	})
	return p
}

// freshness is what the header Cache-Control of a request asks for (RFC 9111, section 5.2.1).
type freshness struct {
	maxAge, minFresh      *time.Duration
	noCache, onlyIfCached bool
}

func parseCacheControl(lines []string) freshness {
	var f freshness
	parseList(lines, func(name, value string) {
		d, ok := deltaSeconds(value)
		switch {
		case name == "max-age" && ok && f.maxAge == nil:
			f.maxAge = &d
		case name == "min-fresh" && ok && f.minFresh == nil:
			f.minFresh = &d
		case name == "no-cache":
			f.noCache = true
		case name == "only-if-cached":
			f.onlyIfCached = true
		}
	})
	return f
}

// apply adds to the wishes of a request: the stricter counts.
func (f freshness) apply(r *scorev1.RequestScoreRequest) {
	if f.maxAge != nil && (r.MaxAge == nil || *f.maxAge < r.MaxAge.AsDuration()) {
		r.MaxAge = durationpb.New(*f.maxAge)
		if *f.maxAge == 0 { // only a new one is that young
			r.MaxAge, r.Refresh = nil, true
		}
	}
	if f.minFresh != nil && *f.minFresh > r.MinRemaining.AsDuration() {
		r.MinRemaining = durationpb.New(*f.minFresh)
	}
	r.Refresh = r.Refresh || f.noCache
	r.OnlyIfCached = r.OnlyIfCached || f.onlyIfCached
}

// deltaSeconds reads a number of seconds; one that is too large is very large (RFC 9111, section 1.2.2).
func deltaSeconds(s string) (time.Duration, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		n = math.MaxInt32
	}
	return time.Duration(n) * time.Second, true
}

// parseList calls each for the elements of a list of names with values, `name[=value][;parameters]`, values being tokens or quoted
// strings: the grammar that Prefer and Cache-Control share. Names come in lower case. An element that is malformed is left out.
func parseList(lines []string, each func(name, value string)) {
	for rest := strings.Join(lines, ","); rest != ""; {
		var element string
		element, rest = cutElement(rest)
		name, after := cutToken(strings.TrimLeft(element, " \t"))
		after = strings.TrimLeft(after, " \t")
		if name == "" {
			continue
		}
		value, ok := "", true
		if strings.HasPrefix(after, "=") {
			value, after, ok = cutWord(strings.TrimLeft(after[1:], " \t"))
			after = strings.TrimLeft(after, " \t")
		}
		if ok && (after == "" || after[0] == ';') {
			each(strings.ToLower(name), value)
		}
	}
}

// cutElement cuts at the first comma that is not quoted.
func cutElement(s string) (element, rest string) {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '\\' && quoted:
			i++
		case s[i] == ',' && !quoted:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func cutToken(s string) (token, rest string) {
	i := 0
	for i < len(s) && isTokenChar(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// cutWord cuts a token or a quoted string, which is returned without its quotes.
func cutWord(s string) (word, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		word, rest = cutToken(s)
		return word, rest, word != ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:], true
		case '\\':
			if i++; i == len(s) {
				return "", "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", "", false
}

func isTokenChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
