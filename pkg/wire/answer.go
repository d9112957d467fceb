package wire

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// answer writes an Answer as protojson does, in a fifth of the time: no other message is written as often. Nil leaves it to protojson,
// which alone says what is wrong.
func answer(a *scorev1.Answer) []byte {
	w := writer{out: make([]byte, 0, 1024)}
	w.begin('{')
	w.text("correlation_id", a.CorrelationId)
	w.enum("status", int32(a.Status), scorev1.Status_name)
	w.enum("state", int32(a.State), scorev1.State_name)
	w.duration("eta", a.Eta)
	w.text("product", a.Product)
	w.text("customer_id", a.CustomerId)
	w.enum("cache", int32(a.Cache), scorev1.Cache_name)
	w.duration("age", a.Age)
	w.score("score", a.Score)
	w.failure("failure", a.Failure)
	if a.Revision != 0 { // 64 bits are a text in proto3 JSON
		w.text("revision", strconv.FormatUint(a.Revision, 10))
	}
	w.text("client_reference", a.ClientReference)
	w.yes("expired", a.Expired)
	w.end('}')
	if w.wrong {
		return nil
	}
	return w.out
}

func (w *writer) score(name string, s *scorev1.Score) {
	if s == nil {
		return
	}
	w.member(name)
	w.begin('{')
	w.enum("outcome", int32(s.Outcome), scorev1.Outcome_name)
	if s.Value != nil {
		w.number("value", *s.Value)
	}
	if s.RangeMin != 0 {
		w.number("range_min", s.RangeMin)
	}
	if s.RangeMax != 0 {
		w.number("range_max", s.RangeMax)
	}
	if s.Model != nil {
		w.member("model")
		w.begin('{')
		w.text("name", s.Model.Name)
		w.text("version", s.Model.Version)
		w.end('}')
	}
	if len(s.KeyFactors) > 0 {
		w.member("key_factors")
		w.begin('[')
		for _, f := range s.KeyFactors {
			w.separate()
			w.begin('{')
			w.text("code", f.GetCode())
			w.text("text", f.GetText())
			w.end('}')
		}
		w.end(']')
	}
	w.time("calculated_at", s.CalculatedAt)
	w.time("valid_until", s.ValidUntil)
	if len(s.Sources) > 0 {
		w.member("sources")
		w.begin('[')
		for _, source := range s.Sources {
			w.separate()
			w.quoted(source)
		}
		w.end(']')
	}
	w.end('}')
}

func (w *writer) failure(name string, f *scorev1.Failure) {
	if f == nil {
		return
	}
	w.member(name)
	w.begin('{')
	w.enum("code", int32(f.Code), scorev1.Code_name)
	w.text("message", f.Message)
	w.yes("retryable", f.Retryable)
	w.end('}')
}

// writer writes JSON. Members with their zero value are left out where proto3 does.
type writer struct {
	out   []byte
	wrong bool // there is something that cannot be written
}

func (w *writer) begin(c byte) { w.out = append(w.out, c) }
func (w *writer) end(c byte)   { w.out = append(w.out, c) }

// separate comes before every member and every item.
func (w *writer) separate() {
	if last := w.out[len(w.out)-1]; last != '{' && last != '[' {
		w.out = append(w.out, ',')
	}
}

func (w *writer) member(name string) {
	w.separate()
	w.out = append(append(append(w.out, '"'), name...), `":`...)
}

func (w *writer) text(name, s string) {
	if s != "" {
		w.member(name)
		w.quoted(s)
	}
}

func (w *writer) quoted(s string) {
	w.out = AppendText(w.out, s)
	w.wrong = w.wrong || !utf8.ValidString(s)
}

func (w *writer) enum(name string, value int32, names map[int32]string) {
	if value != 0 {
		w.text(name, names[value])
		w.wrong = w.wrong || names[value] == ""
	}
}

func (w *writer) number(name string, n int32) {
	w.member(name)
	w.out = strconv.AppendInt(w.out, int64(n), 10)
}

func (w *writer) yes(name string, yes bool) {
	if yes {
		w.member(name)
		w.out = append(w.out, "true"...)
	}
}

func (w *writer) duration(name string, d *durationpb.Duration) {
	if d != nil {
		w.member(name)
		w.out = AppendDuration(w.out, d.Seconds, d.Nanos)
		w.wrong = w.wrong || d.CheckValid() != nil || d.Seconds < 0 || d.Nanos < 0
	}
}

func (w *writer) time(name string, t *timestamppb.Timestamp) {
	if t == nil {
		return
	}
	w.member(name)
	w.out = t.AsTime().AppendFormat(append(w.out, '"'), "2006-01-02T15:04:05")
	w.out = append(appendFraction(w.out, t.Nanos), `Z"`...)
	w.wrong = w.wrong || t.CheckValid() != nil
}

// AppendText appends a text in JSON. It is UTF-8.
func AppendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a text can always be written
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// AppendDuration appends a duration in proto3 JSON. It is not negative.
func AppendDuration(b []byte, seconds int64, nanos int32) []byte {
	b = strconv.AppendInt(append(b, '"'), seconds, 10)
	return append(appendFraction(b, nanos), `s"`...)
}

// appendFraction appends the fraction of a second with 0, 3, 6 or 9 digits.
func appendFraction(b []byte, nanos int32) []byte {
	if nanos <= 0 {
		return b
	}
	var digits [10]byte
	b = append(append(b, '.'), strconv.AppendInt(digits[:0], 1e9+int64(nanos), 10)[1:]...)
	for range 2 {
		b = bytes.TrimSuffix(b, []byte("000"))
	}
	return b
}
