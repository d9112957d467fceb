package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// print prints a document, as text or as JSON.
func (e *Env) print(m proto.Message, text func() string) error {
	if !e.JSON {
		_, err := io.WriteString(e.Stdout, text())
		return err
	}
	data, err := wire.JSON.Marshal(m)
	if err != nil {
		return fmt.Errorf("print as JSON: %w", err)
	}
	return e.printJSON(data)
}

// printJSON prints JSON line by line, always the same: what protojson writes differs in white space from build to build.
func (e *Env) printJSON(data []byte) error {
	var lines bytes.Buffer
	if err := json.Indent(&lines, data, "", "  "); err != nil {
		return fmt.Errorf("print as JSON: %w", err)
	}
	lines.WriteByte('\n')
	_, err := lines.WriteTo(e.Stdout)
	return err
}

// answerText is an answer for people: a line that says it all, and the details.
func answerText(a *scorev1.Answer, now time.Time) string {
	var p page
	switch a.Status {
	case scorev1.Status_READY:
		p.score(a, now)
	case scorev1.Status_PENDING:
		p.title("PENDING: the %s score of customer %s is being calculated", a.Product, a.CustomerId)
		p.row("state", a.State.String())
		if a.Eta != nil {
			p.row("ready", "in about "+rough(a.Eta.AsDuration()))
		}
	default:
		p.title("%v: there is no %s score of customer %s", a.Status, a.Product, a.CustomerId)
		if f := a.Failure; f.GetCode() != scorev1.Code_CODE_UNSPECIFIED {
			again := "; asking again may help"
			if !f.GetRetryable() {
				again = ""
			}
			p.row("failure", f.Code.String()+again)
		}
		p.row("reason", a.Failure.GetMessage())
	}
	p.row("correlation ID", a.CorrelationId)
	if a.Cache != scorev1.Cache_CACHE_UNSPECIFIED {
		p.row("cache", a.Cache.String())
	}
	p.row("reference", a.ClientReference)
	return p.String()
}

// page is a text of a title and rows.
type page struct{ strings.Builder }

func (p *page) title(format string, args ...any) {
	p.WriteString(clean(fmt.Sprintf(format, args...)) + "\n\n")
}

// row adds a row, unless there is nothing to say. Further values stand below the first.
func (p *page) row(name string, values ...string) {
	for _, value := range values {
		if value != "" {
			fmt.Fprintf(p, "  %-15s %s\n", name, clean(value))
			name = ""
		}
	}
}

func (p *page) score(a *scorev1.Answer, now time.Time) {
	s := a.GetScore()
	what := s.GetOutcome().String()
	if s.GetOutcome() == scorev1.Outcome_SCORED {
		what = fmt.Sprintf("%d of %d to %d", s.GetValue(), s.GetRangeMin(), s.GetRangeMax())
	}
	p.title("%s score of customer %s: %s", a.Product, a.CustomerId, what)
	p.row("outcome", s.GetOutcome().String())
	p.row("model", strings.TrimSpace(s.GetModel().GetName()+" "+s.GetModel().GetVersion()))
	var factors []string
	for _, f := range s.GetKeyFactors() {
		factors = append(factors, f.GetCode()+"  "+f.GetText())
	}
	p.row("key factors", factors...)
	calculated, until := s.GetCalculatedAt().AsTime(), s.GetValidUntil().AsTime()
	age := now.Sub(calculated)
	if a.Age != nil {
		age = a.Age.AsDuration()
	}
	p.row("calculated", fmt.Sprintf("%s (%s ago)", clock(calculated), rough(age)))
	if left := until.Sub(now); left > 0 {
		p.row("valid until", fmt.Sprintf("%s (for %s)", clock(until), rough(left)))
	} else {
		p.row("valid until", fmt.Sprintf("%s (expired)", clock(until)))
	}
	p.row("sources", strings.Join(s.GetSources(), ", "))
}

// clean is s without what could do more to a terminal than show text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

// rough is a duration as people say it.
func rough(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	case d < 48*time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
