package wire

import (
	"bytes"
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/durationpb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// flat reads a request as clients nearly always write it: one JSON object of texts, booleans and durations, in ASCII and without escapes.
// Whatever else it meets, right or wrong, it leaves alone: false says that protojson has to read it all, which alone tells what is wrong.
// protojson takes seven times as long, which is more than all else that the gateway does for an answer from its cache.
func flat(data []byte, m *scorev1.RequestScoreRequest) bool {
	in := reader{data}
	if !in.take('{') {
		return false
	}
	var seen [8]bool
	for {
		name, ok := in.text()
		if !ok || !in.take(':') {
			return false
		}
		i, field := place(m, name)
		if field == nil || seen[i] || !in.value(field) {
			return false
		}
		seen[i] = true
		if !in.take(',') {
			return in.take('}') && in.end()
		}
	}
}

// place is where the value of a member belongs, and its place in a list of those seen; nil for those that flat does not read.
func place(m *scorev1.RequestScoreRequest, name []byte) (int, any) {
	switch string(name) {
	case "customer_id":
		return 0, &m.CustomerId
	case "product":
		return 1, &m.Product
	case "wait":
		return 2, &m.Wait
	case "max_age":
		return 3, &m.MaxAge
	case "min_remaining":
		return 4, &m.MinRemaining
	case "only_if_cached":
		return 5, &m.OnlyIfCached
	case "refresh":
		return 6, &m.Refresh
	case "client_reference":
		return 7, &m.ClientReference
	}
	return 0, nil
}

// reader is what is left to be read. What a method does not find it does not take.
type reader struct{ rest []byte }

func (r *reader) space() {
	for len(r.rest) > 0 && (r.rest[0] == ' ' || r.rest[0] == '\n' || r.rest[0] == '\r' || r.rest[0] == '\t') {
		r.rest = r.rest[1:]
	}
}

func (r *reader) end() bool {
	r.space()
	return len(r.rest) == 0
}

func (r *reader) take(c byte) bool {
	r.space()
	found := len(r.rest) > 0 && r.rest[0] == c
	if found {
		r.rest = r.rest[1:]
	}
	return found
}

// text takes a plain string.
func (r *reader) text() ([]byte, bool) {
	if !r.take('"') {
		return nil, false
	}
	for i, c := range r.rest {
		switch {
		case c == '"':
			text := r.rest[:i]
			r.rest = r.rest[i+1:]
			return text, true
		case c < ' ' || c > '~' || c == '\\':
			return nil, false
		}
	}
	return nil, false
}

// value takes the value of a field.
func (r *reader) value(field any) bool {
	if field, ok := field.(*bool); ok {
		*field = r.word("true")
		return *field || r.word("false")
	}
	text, ok := r.text()
	switch field := field.(type) {
	case *string:
		*field = string(text)
	case **durationpb.Duration:
		*field = duration(string(text))
		ok = *field != nil
	}
	return ok
}

func (r *reader) word(w string) bool {
	r.space()
	found := bytes.HasPrefix(r.rest, []byte(w))
	if found {
		r.rest = r.rest[len(w):]
	}
	return found
}

// duration reads "5s" and "1.5s"; nil for whatever is less plain.
func duration(text string) *durationpb.Duration {
	number, seconds := strings.CutSuffix(text, "s")
	whole, fraction, _ := strings.Cut(number, ".")
	if !seconds || len(whole) > 9 || len(whole) > 1 && whole[0] == '0' || len(fraction) > 9 {
		return nil
	}
	s, err := strconv.ParseUint(whole, 10, 32)
	if err != nil {
		return nil
	}
	n := uint64(0)
	if fraction != "" {
		if n, err = strconv.ParseUint(fraction, 10, 32); err != nil {
			return nil
		}
	}
	for range 9 - len(fraction) {
		n *= 10
	}
	return &durationpb.Duration{Seconds: int64(s), Nanos: int32(n)}
}
