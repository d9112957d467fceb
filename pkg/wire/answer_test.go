package wire

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// draw fills a message: each field, whichever the contract has, is set or not.
func draw(t *rapid.T, m protoreflect.Message) {
	switch m := m.Interface().(type) {
	case *durationpb.Duration:
		m.Seconds = rapid.Int64Range(0, 315_576_000_000-1).Draw(t, "seconds")
		m.Nanos = rapid.SampledFrom([]int32{0, 1, 120_000_000, 999_999_000}).Draw(t, "nanos")
		return
	case *timestamppb.Timestamp:
		m.Seconds = rapid.Int64Range(-62_135_596_800, 253_402_300_799).Draw(t, "seconds")
		m.Nanos = rapid.SampledFrom([]int32{0, 1, 120_000_000, 999_999_000}).Draw(t, "nanos")
		return
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !rapid.Bool().Draw(t, "is "+string(field.Name())) {
			continue
		}
		if field.IsList() {
			list := m.Mutable(field).List()
			for range rapid.IntRange(0, 3).Draw(t, "items") {
				if field.Message() != nil {
					draw(t, list.AppendMutable().Message())
				} else {
					list.Append(value(t, field))
				}
			}
			continue
		}
		if field.Message() != nil {
			draw(t, m.Mutable(field).Message())
			continue
		}
		m.Set(field, value(t, field))
	}
}

func value(t *rapid.T, field protoreflect.FieldDescriptor) protoreflect.Value {
	name := string(field.Name())
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(rapid.String().Draw(t, name))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, name))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, name))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, name))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(field.Enum().Values().Get(rapid.IntRange(0, field.Enum().Values().Len()-1).Draw(t, name)).Number())
	}
	panic("the contract has a field of a kind that is not drawn: " + name)
}

// Every field of an Answer is written, also those that the contract will have one day.
func TestAnswersAreWrittenAsProtojsonDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, got := &scorev1.Answer{}, &scorev1.Answer{}
		draw(t, want.ProtoReflect())
		data := answer(want)
		if data == nil {
			t.Fatalf("left to protojson: %v", want)
		}
		if err := unmarshalJSON.Unmarshal(data, got); err != nil || !proto.Equal(want, got) {
			t.Fatalf("%s: %v %s", data, err, cmp.Diff(want, got, protocmp.Transform()))
		}
	})
}

func TestAnswersThatCannotBeWrittenAreLeftToProtojson(t *testing.T) {
	for name, a := range map[string]*scorev1.Answer{
		"text":     {Product: "\xff"},
		"enum":     {Status: 99},
		"duration": {Age: &durationpb.Duration{Seconds: -1}},
		"time":     {Score: &scorev1.Score{CalculatedAt: &timestamppb.Timestamp{Nanos: -1}}},
		"item":     {Score: &scorev1.Score{Sources: []string{"\xff"}}},
	} {
		if data := answer(a); data != nil {
			t.Errorf("%s: %s", name, data)
		}
	}
}

func BenchmarkAnswer(b *testing.B) {
	a := &scorev1.Answer{
		CorrelationId: "0199d1c3-8a5f-8123-8456-0123456789ab", Status: scorev1.Status_READY, Product: "credit", Revision: 42,
		Score: &scorev1.Score{
			Outcome: scorev1.Outcome_SCORED, Value: proto.Int32(712), RangeMin: 300, RangeMax: 850, Model: &scorev1.Model{Name: "m", Version: "1"},
			KeyFactors: []*scorev1.KeyFactor{{Code: "A03", Text: "Proportion of balances to limits"}, {Code: "A07", Text: "Too many inquiries"}},
			Sources:    []string{"a", "b"}, CalculatedAt: timestamppb.New(time.Unix(1, 0)), ValidUntil: timestamppb.New(time.Unix(1, 5)),
		},
	}
	b.Run("answer", func(b *testing.B) {
		for b.Loop() {
			answer(a)
		}
	})
	b.Run("protojson", func(b *testing.B) {
		for b.Loop() {
			_, _ = marshalJSON.Marshal(a)
		}
	})
}
