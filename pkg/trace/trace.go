// Package trace carries the trace context of whoever asked (https://www.w3.org/TR/trace-context/) along to the backend that is called for
// it, unchanged: scoreflow makes no spans of its own. What is not valid is dropped, as the recommendation asks.
package trace

import (
	"context"
	"strings"
)

// The headers, over HTTP and over NATS; their names are written in lower case, and read in any.
const (
	ParentHeader = "traceparent"
	StateHeader  = "tracestate"
)

const (
	parentLength = len("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	maxParent    = 128 // of a version that is not known yet
	maxState     = 512
	maxMembers   = 32
	maxKey       = 256
)

// Context is a trace context. The zero value is none.
type Context struct {
	Parent string
	State  string // only with Parent
}

// Parse reads a trace context. Without a valid parent it is none; a state that is not valid is left out.
func Parse(parent, state string) Context {
	if !validParent(parent) {
		return Context{}
	}
	if !validState(state) {
		state = ""
	}
	return Context{Parent: parent, State: state}
}

// FromHeader reads the trace context from headers, whose names may have any case. More than one traceparent is none.
func FromHeader(h map[string][]string) Context {
	var parents, states []string
	for name, values := range h {
		switch {
		case strings.EqualFold(name, ParentHeader):
			parents = append(parents, values...)
		case strings.EqualFold(name, StateHeader):
			states = append(states, values...)
		}
	}
	if len(parents) != 1 {
		return Context{}
	}
	return Parse(parents[0], strings.Join(states, ","))
}

// Set writes the trace context into headers: those of HTTP or of NATS.
func (c Context) Set(h map[string][]string) {
	if c.Parent == "" {
		return
	}
	h[ParentHeader] = []string{c.Parent}
	if c.State != "" {
		h[StateHeader] = []string{c.State}
	}
}

type key struct{}

// With is a context that carries c.
func With(ctx context.Context, c Context) context.Context {
	if c.Parent == "" {
		return ctx
	}
	return context.WithValue(ctx, key{}, c)
}

// From is what a context carries.
func From(ctx context.Context) Context {
	c, _ := ctx.Value(key{}).(Context)
	return c
}

// validParent says whether s is version-traceid-parentid-flags in lower-case hexadecimal. A later version may go on after another dash.
func validParent(s string) bool {
	if len(s) < parentLength || len(s) > maxParent || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	version, traceID, parentID, flags := s[:2], s[3:35], s[36:52], s[53:55]
	if !isHex(version) || !isHex(traceID) || !isHex(parentID) || !isHex(flags) || version == "ff" {
		return false
	}
	if strings.Trim(traceID, "0") == "" || strings.Trim(parentID, "0") == "" {
		return false
	}
	rest := s[parentLength:]
	return rest == "" || version != "00" && rest[0] == '-' && printable(rest)
}

func validState(s string) bool {
	if len(s) > maxState {
		return false
	}
	members := strings.Split(s, ",")
	if len(members) > maxMembers {
		return false
	}
	for _, m := range members {
		if m = strings.Trim(m, " \t"); m == "" {
			continue
		}
		name, value, ok := strings.Cut(m, "=")
		if !ok || name == "" || len(name) > maxKey || value == "" || strings.Contains(value, "=") || !printable(value) ||
			strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-*/@") != "" {
			return false
		}
	}
	return true
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}
