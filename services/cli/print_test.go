package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func TestAnswerText(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.Local)
	zone := now.Format("MST")
	for _, test := range []struct {
		answer *scorev1.Answer
		want   string
	}{
		{
			&scorev1.Answer{
				Status: scorev1.Status_READY, CorrelationId: "c1", Product: "credit", CustomerId: "42", ClientReference: "mine",
				Cache: scorev1.Cache_HIT, Age: durationpb.New(90 * time.Second),
				Score: &scorev1.Score{
					Outcome: scorev1.Outcome_SCORED, Value: proto.Int32(712), RangeMin: 300, RangeMax: 850,
					Model:        &scorev1.Model{Name: "demo", Version: "1.0"},
					KeyFactors:   []*scorev1.KeyFactor{{Code: "F01", Text: "All is well"}, {Code: "A01", Text: "Not all\x1b[2J"}},
					CalculatedAt: timestamppb.New(now.Add(-90 * time.Second)), ValidUntil: timestamppb.New(now.Add(23*time.Hour + 59*time.Minute)),
					Sources: []string{"north", "south"},
				},
			}, `
credit score of customer 42: 712 of 300 to 850

  outcome         SCORED
  model           demo 1.0
  key factors     F01  All is well
                  A01  Not all?[2J
  calculated      2026-11-23 09:58:30 ZONE (1m30s ago)
  valid until     2026-11-24 09:59:00 ZONE (for 23h59m)
  sources         north, south
  correlation ID  c1
  cache           HIT
  reference       mine
`,
		},
		{
			&scorev1.Answer{
				Status: scorev1.Status_READY, CorrelationId: "c1", Product: "credit", CustomerId: "42", Expired: true,
				Score: &scorev1.Score{
					Outcome: scorev1.Outcome_NO_HIT, CalculatedAt: timestamppb.New(now.Add(-100 * time.Hour)), ValidUntil: timestamppb.New(now),
				},
			}, `
credit score of customer 42: NO_HIT

  outcome         NO_HIT
  calculated      2026-11-19 06:00:00 ZONE (4 days ago)
  valid until     2026-11-23 10:00:00 ZONE (expired)
  correlation ID  c1
`,
		},
		{
			&scorev1.Answer{
				Status: scorev1.Status_PENDING, CorrelationId: "c1", Product: "credit", CustomerId: "42",
				State: scorev1.State_QUEUED, Eta: durationpb.New(4 * time.Second), Cache: scorev1.Cache_JOINED,
			}, `
PENDING: the credit score of customer 42 is being calculated

  state           QUEUED
  ready           in about 4s
  correlation ID  c1
  cache           JOINED
`,
		},
		{
			&scorev1.Answer{
				Status: scorev1.Status_FAILED, CorrelationId: "c1", Product: "credit", CustomerId: "42",
				Failure: &scorev1.Failure{Code: scorev1.Code_BACKEND_UNAVAILABLE, Message: "the backend answered 503", Retryable: true},
			}, `
FAILED: there is no credit score of customer 42

  failure         BACKEND_UNAVAILABLE; asking again may help
  reason          the backend answered 503
  correlation ID  c1
`,
		},
		{
			&scorev1.Answer{
				Status: scorev1.Status_CANCELLED, CorrelationId: "c1", Product: "credit", CustomerId: "42",
				Failure: &scorev1.Failure{Message: "asked for by mistake"},
			}, `
CANCELLED: there is no credit score of customer 42

  reason          asked for by mistake
  correlation ID  c1
`,
		},
	} {
		want := strings.ReplaceAll(strings.TrimPrefix(test.want, "\n"), "ZONE", zone)
		if diff := cmp.Diff(want, answerText(test.answer, now)); diff != "" {
			t.Error(diff)
		}
	}
}
