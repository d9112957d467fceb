package demo

import (
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/score"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func TestScores(t *testing.T) {
	const customers = 10_000
	outcomes := map[scorev1.Outcome]int{}
	values, sourced := map[int32]int{}, map[string]int{}
	for i := range customers {
		id := strconv.Itoa(i)
		s, takes := calculate("credit", id, creditSpan)
		if again, same := calculate("credit", id, creditSpan); takes != same || !proto.Equal(s, again) {
			t.Fatalf("customer %s: %v, then %v", id, s, again)
		}
		for _, r := range []*scorev1.Score{s, noHit(s), conflicting(s)} {
			if err := score.ValidateReport(reportOf(r)); err != nil {
				t.Fatalf("customer %s: %v: %v", id, r, err)
			}
		}
		if takes < 1500*time.Millisecond || takes > 3500*time.Millisecond {
			t.Fatalf("customer %s takes %v", id, takes)
		}
		outcomes[s.Outcome]++
		values[s.GetValue()]++
		for _, source := range s.Sources {
			sourced[source]++
		}
	}
	for outcome, percent := range map[scorev1.Outcome]int{
		scorev1.Outcome_NO_HIT: noHits, scorev1.Outcome_THIN_FILE: thinFiles, scorev1.Outcome_FROZEN_FILE: frozenFiles,
	} {
		if n := outcomes[outcome] * 100 / customers; n > percent+1 || outcomes[outcome] == 0 {
			t.Errorf("%v: %d of %d", outcome, outcomes[outcome], customers)
		}
	}
	if len(values) < 300 {
		t.Errorf("only %d different values", len(values))
	}
	if sourced["bureau-north"] != customers || sourced["open-banking"] == customers || sourced["open-banking"] < customers/2 {
		t.Errorf("%v", sourced)
	}
}

// The same customer has the same score for ever, whatever Go or the machine, and another one for each product.
func TestOneCustomer(t *testing.T) {
	s, _ := calculate("credit", "42", creditSpan)
	if s.GetValue() != 573 || s.KeyFactors[0].Code != "A01" || len(s.KeyFactors) != 4 || len(s.Sources) != 4 {
		t.Errorf("customer 42: %v", s)
	}
	if other, _ := calculate("report", "42", reportSpan); other.GetValue() == s.GetValue() {
		t.Errorf("both products say %v", other)
	}
}
