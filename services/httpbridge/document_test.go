package httpbridge

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// What is written by hand is what protojson reads: the whole answer but its age.
func TestDocumentsAreTheJSONOfTheContract(t *testing.T) {
	text := rapid.String()
	texts := rapid.SliceOfN(text, 0, 3)
	number := rapid.Int32()
	at := rapid.Custom(func(t *rapid.T) *timestamppb.Timestamp {
		return timestamppb.New(time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")))
	})
	rapid.Check(t, func(t *rapid.T) {
		want := &scorev1.Answer{
			CorrelationId: text.Draw(t, "cid"), Status: scorev1.Status(rapid.Int32Range(1, 4).Draw(t, "status")),
			State: scorev1.State(rapid.Int32Range(0, 2).Draw(t, "state")), Product: text.Draw(t, "product"), CustomerId: text.Draw(t, "customer"),
			Cache: scorev1.Cache(rapid.Int32Range(0, 3).Draw(t, "cache")), Revision: rapid.Uint64().Draw(t, "revision"),
			ClientReference: text.Draw(t, "ref"), Expired: rapid.Bool().Draw(t, "expired"),
		}
		if rapid.Bool().Draw(t, "eta?") {
			want.Eta = durationpb.New(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "eta")))
		}
		if rapid.Bool().Draw(t, "failure?") {
			want.Failure = &scorev1.Failure{
				Code: scorev1.Code(rapid.Int32Range(0, 15).Draw(t, "code")), Message: text.Draw(t, "message"), Retryable: rapid.Bool().Draw(t, "retryable"),
			}
		}
		if rapid.Bool().Draw(t, "score?") {
			want.Score = &scorev1.Score{
				Outcome: scorev1.Outcome(rapid.Int32Range(0, 4).Draw(t, "outcome")), Value: rapid.Ptr(number, true).Draw(t, "value"),
				RangeMin: number.Draw(t, "min"), RangeMax: number.Draw(t, "max"), Sources: texts.Draw(t, "sources"),
				CalculatedAt: at.Draw(t, "calculated"), ValidUntil: at.Draw(t, "valid"),
			}
			if rapid.Bool().Draw(t, "model?") {
				want.Score.Model = &scorev1.Model{Name: text.Draw(t, "model"), Version: text.Draw(t, "version")}
			}
			for _, code := range texts.Draw(t, "factors") {
				want.Score.KeyFactors = append(want.Score.KeyFactors, &scorev1.KeyFactor{Code: code, Text: text.Draw(t, "text")})
			}
		}
		aged := proto.CloneOf(want)
		aged.Age = durationpb.New(time.Second)
		data, got := document(aged), &scorev1.Answer{}
		if err := protojson.Unmarshal(data, got); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if !proto.Equal(want, got) {
			t.Fatal(cmp.Diff(want, got, protocmp.Transform()))
		}
		if !bytes.Equal(data, document(want)) || bytes.Count(data, []byte("\n")) != 1 {
			t.Fatalf("%s", data)
		}
	})
}
