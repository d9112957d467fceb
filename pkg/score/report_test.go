package score

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// fullReport has everything a report may have, as much of it as is taken.
func fullReport() *scorev1.Report {
	text := strings.Repeat("x", maxText)
	s := &scorev1.Score{
		Outcome: scorev1.Outcome_SCORED, Value: proto.Int32(850), RangeMin: 300, RangeMax: 850,
		Model:        &scorev1.Model{Name: text, Version: text},
		CalculatedAt: timestamppb.New(time.Unix(1_700_000_000, 0)), ValidUntil: timestamppb.New(time.Unix(1_700_003_600, 0)),
	}
	for range maxKeyFactors {
		s.KeyFactors = append(s.KeyFactors, &scorev1.KeyFactor{Code: text, Text: text})
	}
	for range maxSources {
		s.Sources = append(s.Sources, text)
	}
	return &scorev1.Report{Result: &scorev1.Report_Score{Score: s}, Validity: durationpb.New(time.Hour)}
}

func failureReport(code scorev1.Code, message string) *scorev1.Report {
	return &scorev1.Report{Result: &scorev1.Report_Failure{Failure: &scorev1.Failure{Code: code, Message: message}}}
}

func TestValidReports(t *testing.T) {
	noHit := fullReport()
	noHit.GetScore().Outcome, noHit.GetScore().Value = scorev1.Outcome_NO_HIT, nil
	bare := &scorev1.Report{Result: &scorev1.Report_Score{Score: &scorev1.Score{
		Outcome: scorev1.Outcome_SCORED, Value: proto.Int32(math.MinInt32), RangeMin: math.MinInt32, RangeMax: math.MaxInt32,
	}}, Validity: durationpb.New(0)}
	for _, r := range []*scorev1.Report{fullReport(), noHit, bare, failureReport(scorev1.Code_BACKEND_DECLINED, "")} {
		if err := ValidateReport(r); err != nil {
			t.Errorf("%v: %v", r, err)
		}
	}
}

func TestInvalidReportsNameTheField(t *testing.T) {
	type score = scorev1.Score
	long := strings.Repeat("x", maxText+1)
	for _, c := range []struct {
		field string
		spoil func(*score)
	}{
		{"report.score.outcome", func(s *score) { s.Outcome = 0 }},
		{"report.score.outcome", func(s *score) { s.Outcome = 99 }},
		{"report.score.value", func(s *score) { s.Value = nil }},
		{"report.score.value", func(s *score) { s.Value = proto.Int32(299) }},
		{"report.score.value", func(s *score) { s.Value = proto.Int32(851) }},
		{"report.score.value", func(s *score) { s.Outcome = scorev1.Outcome_THIN_FILE }},
		{"report.score.range_max", func(s *score) { s.RangeMin = s.RangeMax }},
		{"report.score.model.name", func(s *score) { s.Model.Name = long }},
		{"report.score.model.version", func(s *score) { s.Model.Version = "\xff" }},
		{"report.score.key_factors", func(s *score) { s.KeyFactors = append(s.KeyFactors, nil) }},
		{"report.score.key_factors[0].code", func(s *score) { s.KeyFactors[0].Code = long }},
		{"report.score.key_factors[15].text", func(s *score) { s.KeyFactors[15].Text = long }},
		{"report.score.sources", func(s *score) { s.Sources = append(s.Sources, "one more") }},
		{"report.score.sources[31]", func(s *score) { s.Sources[31] = long }},
		{"report.score.calculated_at", func(s *score) { s.CalculatedAt.Nanos = -1 }},
		{"report.score.valid_until", func(s *score) { s.ValidUntil.Seconds = math.MaxInt64 }},
	} {
		r := fullReport()
		c.spoil(r.GetScore())
		wantField(t, r, c.field)
	}
	wantField(t, nil, "report")
	wantField(t, &scorev1.Report{}, "report")
	wantField(t, &scorev1.Report{Result: &scorev1.Report_Score{}}, "report")
	wantField(t, failureReport(0, ""), "report.failure.code")
	wantField(t, failureReport(scorev1.Code_NOT_FOUND, ""), "report.failure.code")
	wantField(t, failureReport(scorev1.Code_BACKEND_DECLINED, long), "report.failure.message")
	for _, validity := range []*durationpb.Duration{durationpb.New(-1), {Seconds: math.MaxInt64}, {Nanos: -1, Seconds: 1}} {
		r := fullReport()
		r.Validity = validity
		wantField(t, r, "report.validity")
	}
}

func wantField(t *testing.T, r *scorev1.Report, field string) {
	t.Helper()
	err := ValidateReport(r)
	f, ok := errors.AsType[*fault.Error](err)
	if !ok || f.Code != scorev1.Code_INVALID_ARGUMENT || f.Field != field {
		t.Errorf("got %v, want an error of %s", err, field)
	}
}

func TestNormalizeReport(t *testing.T) {
	euros := strings.Repeat("€", maxText) // three bytes each
	for _, c := range []struct{ in, want *scorev1.Failure }{
		{
			&scorev1.Failure{Code: scorev1.Code_NOT_FOUND, Message: "no", Retryable: true},
			&scorev1.Failure{Code: scorev1.Code_BACKEND_DECLINED, Message: "no"},
		},
		{
			&scorev1.Failure{Code: scorev1.Code_BACKEND_UNAVAILABLE, Message: euros},
			&scorev1.Failure{Code: scorev1.Code_BACKEND_UNAVAILABLE, Message: euros[:510], Retryable: true},
		},
		{
			&scorev1.Failure{Code: scorev1.Code_UNKNOWN_OUTCOME, Retryable: true},
			&scorev1.Failure{Code: scorev1.Code_UNKNOWN_OUTCOME},
		},
	} {
		r := &scorev1.Report{Result: &scorev1.Report_Failure{Failure: c.in}}
		NormalizeReport(r)
		if diff := cmp.Diff(c.want, r.GetFailure(), protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
	r := fullReport()
	NormalizeReport(r)
	if diff := cmp.Diff(fullReport(), r, protocmp.Transform()); diff != "" {
		t.Error("a score was changed: " + diff)
	}
}

// Whatever passes can be written in both encodings, and a report's failure needs only to be normalized to pass.
func FuzzReport(f *testing.F) {
	small := fullReport()
	small.GetScore().Model, small.GetScore().Sources, small.GetScore().KeyFactors = nil, []string{"a"}, []*scorev1.KeyFactor{{Code: "b"}}
	for _, r := range []*scorev1.Report{small, failureReport(scorev1.Code_GONE, "x"), {}} {
		data, err := proto.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var r scorev1.Report
		if proto.Unmarshal(data, &r) != nil {
			return
		}
		NormalizeReport(&r)
		err := ValidateReport(&r)
		if err != nil {
			if e, ok := errors.AsType[*fault.Error](err); !ok || !strings.HasPrefix(e.Field, "report") {
				t.Fatalf("%v names no field", err)
			}
			if r.GetFailure() != nil && r.Validity == nil {
				t.Fatalf("a normalized failure is refused: %v", err)
			}
			return
		}
		if _, err := protojson.Marshal(&r); err != nil {
			t.Fatalf("what passed cannot be written: %v", err)
		}
	})
}
