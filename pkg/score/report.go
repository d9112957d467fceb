package score

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// What a report may have at most.
const (
	maxText       = 512 // bytes of any one text
	maxKeyFactors = 16
	maxSources    = 32
)

// NormalizeReport puts the failure of a backend's report into words of ours: a code that is not a backend's to use becomes
// BACKEND_DECLINED, the code alone says whether to retry, and a long text is cut. Everything else stays as it is.
func NormalizeReport(r *scorev1.Report) {
	f := r.GetFailure()
	if f == nil {
		return
	}
	if !backendCode(f.Code) {
		f.Code = scorev1.Code_BACKEND_DECLINED
	}
	f.Retryable = fault.Retryable(f.Code)
	f.Message = clip(f.Message)
}

// ValidateReport checks a report that comes from outside. Its error is a *fault.Error that names the field and repeats nothing of the
// report's text.
func ValidateReport(r *scorev1.Report) error {
	if r.GetValidity() != nil && (!r.Validity.IsValid() || r.Validity.AsDuration() < 0) {
		return fault.Invalid("report.validity", "it is not a duration of 0 or more")
	}
	switch {
	case r.GetScore() != nil:
		return validateScore(r.GetScore())
	case r.GetFailure() != nil:
		return validateFailure(r.GetFailure())
	}
	return fault.Invalid("report", "it has neither a score nor a failure")
}

func validateScore(s *scorev1.Score) error {
	switch s.Outcome {
	case scorev1.Outcome_SCORED:
		if s.RangeMin >= s.RangeMax {
			return fault.Invalid("report.score.range_max", "it is not above range_min")
		}
		if s.Value == nil {
			return fault.Invalid("report.score.value", "it is missing")
		}
		if *s.Value < s.RangeMin || *s.Value > s.RangeMax {
			return fault.Invalid("report.score.value", "it is out of its range")
		}
	case scorev1.Outcome_NO_HIT, scorev1.Outcome_THIN_FILE, scorev1.Outcome_FROZEN_FILE:
		if s.Value != nil {
			return fault.Invalid("report.score.value", "only the outcome SCORED has one")
		}
	default:
		return fault.Invalid("report.score.outcome", "it is none of SCORED, NO_HIT, THIN_FILE, FROZEN_FILE")
	}
	if n := len(s.KeyFactors); n > maxKeyFactors {
		return fault.Invalid("report.score.key_factors", "there are %d; at most %d are taken", n, maxKeyFactors)
	}
	if n := len(s.Sources); n > maxSources {
		return fault.Invalid("report.score.sources", "there are %d; at most %d are taken", n, maxSources)
	}
	if err := validateTexts(s); err != nil {
		return err
	}
	if !validTime(s.CalculatedAt) {
		return fault.Invalid("report.score.calculated_at", "it is not a time")
	}
	if !validTime(s.ValidUntil) {
		return fault.Invalid("report.score.valid_until", "it is not a time")
	}
	return nil
}

func validateTexts(s *scorev1.Score) error {
	if err := validateText("report.score.model.name", s.GetModel().GetName()); err != nil {
		return err
	}
	if err := validateText("report.score.model.version", s.GetModel().GetVersion()); err != nil {
		return err
	}
	for i, k := range s.KeyFactors {
		if err := validateText(fmt.Sprintf("report.score.key_factors[%d].code", i), k.GetCode()); err != nil {
			return err
		}
		if err := validateText(fmt.Sprintf("report.score.key_factors[%d].text", i), k.GetText()); err != nil {
			return err
		}
	}
	for i, source := range s.Sources {
		if err := validateText(fmt.Sprintf("report.score.sources[%d]", i), source); err != nil {
			return err
		}
	}
	return nil
}

func validateFailure(f *scorev1.Failure) error {
	if !backendCode(f.Code) {
		return fault.Invalid("report.failure.code", "it is not a code for what became of a calculation")
	}
	return validateText("report.failure.message", f.Message)
}

func validateText(field, s string) error {
	if len(s) > maxText {
		return fault.Invalid(field, "it has %d bytes; at most %d are taken", len(s), maxText)
	}
	if !utf8.ValidString(s) {
		return fault.Invalid(field, "it is not UTF-8")
	}
	return nil
}

// validTime says whether t is a time, or not set.
func validTime(t *timestamppb.Timestamp) bool { return t == nil || t.IsValid() }

// backendCode says whether a backend may fail a calculation with c.
func backendCode(c scorev1.Code) bool {
	switch c {
	case scorev1.Code_BACKEND_DECLINED, scorev1.Code_BACKEND_UNAVAILABLE, scorev1.Code_UNKNOWN_OUTCOME, scorev1.Code_DEADLINE_EXCEEDED:
		return true
	}
	return false
}

// clip is s, cut before the character that goes beyond maxText.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
