package demo

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// behaviour is what a call's attribute "demo" asks for. The zero value is the usual behaviour.
type behaviour struct {
	slow  bool
	takes time.Duration // so long exactly; 0 = as long as the sources take
	fails int           // so many calls of a correlation ID

	decline, noHit, late, never, garbage, twice, conflict bool
}

func parseBehaviour(attribute string) (behaviour, error) {
	var b behaviour
	if attribute == "" {
		return b, nil
	}
	for word := range strings.SplitSeq(attribute, ",") {
		name, value, given := strings.Cut(strings.TrimSpace(word), "=")
		if !b.set(name) {
			return b, fmt.Errorf("%q is none of slow, fail, decline, no-hit, late, never, garbage, twice, conflict", name)
		}
		if !given {
			continue
		}
		if err := b.setValue(name, value); err != nil {
			return b, err
		}
	}
	return b, nil
}

func (b *behaviour) set(name string) bool {
	switch name {
	case "slow":
		b.slow = true
	case "fail":
		b.fails = math.MaxInt
	case "decline":
		b.decline = true
	case "no-hit":
		b.noHit = true
	case "late":
		b.late = true
	case "never":
		b.never = true
	case "garbage":
		b.garbage = true
	case "twice":
		b.twice = true
	case "conflict":
		b.conflict = true
	default:
		return false
	}
	return true
}

func (b *behaviour) setValue(name, value string) error {
	switch name {
	case "slow":
		d, err := time.ParseDuration(value)
		if err != nil || d <= 0 {
			return fmt.Errorf("slow=%s: this is not a positive duration such as 30s", value)
		}
		b.takes = d
	case "fail":
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return fmt.Errorf("fail=%s: this is not a number of 1 or more", value)
		}
		b.fails = n
	default:
		return fmt.Errorf("%s has no value", name)
	}
	return nil
}
