package gateway

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"pgregory.net/rapid"

	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Whatever a request has of its own, the joined answer reads like one that was written as a whole.
func TestAPreparedAnswerIsJoined(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := own{
			customer: rapid.StringN(1, 20, -1).Draw(t, "customer"), cache: rapid.SampledFrom([]scorev1.Cache{0, 1, 2, 3}).Draw(t, "cache"),
			aged: rapid.Bool().Draw(t, "aged"), expired: rapid.Bool().Draw(t, "expired"), ref: rapid.String().Draw(t, "ref"),
		}
		if o.aged {
			o.age = time.Duration(rapid.Int64Range(0, 1e9).Draw(t, "ms")) * time.Millisecond
		}
		common := &scorev1.Answer{CorrelationId: "id", Status: scorev1.Status_READY, Score: &scorev1.Score{Value: proto.Int32(700)}, Revision: 7}
		want := proto.CloneOf(common)
		want.CustomerId, want.Cache, want.Expired, want.ClientReference = o.customer, o.cache, o.expired, o.ref
		if o.aged {
			want.Age = durationpb.New(o.age)
		}
		p := prepare(common)
		for _, e := range []wire.Encoding{wire.JSON, wire.Protobuf} {
			data := p.with(nil, e, o)
			got := &scorev1.Answer{}
			if err := e.Unmarshal(data, got); err != nil {
				t.Fatalf("%s: %v", data, err)
			}
			if !proto.Equal(want, got) {
				t.Fatal(cmp.Diff(want, got, protocmp.Transform()))
			}
		}
	})
}

func BenchmarkJoin(b *testing.B) {
	p := prepare(&scorev1.Answer{CorrelationId: "id", Status: scorev1.Status_READY, Score: &scorev1.Score{Value: proto.Int32(700)}, Revision: 7})
	for _, e := range []wire.Encoding{wire.JSON, wire.Protobuf} {
		b.Run(e.ContentType(), func(b *testing.B) {
			b.ReportAllocs()
			var data []byte
			for b.Loop() {
				data = p.with(data[:0], e, own{customer: "customer-00000042", cache: scorev1.Cache_HIT, aged: true, age: 1234 * time.Millisecond})
			}
		})
	}
}
