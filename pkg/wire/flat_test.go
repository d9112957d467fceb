package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const usual = `{"customer_id":"customer-00000042", "product":"credit","wait":"5s","max_age" : "86400.25s","refresh":false}`

func TestUsualRequestsAreReadFlat(t *testing.T) {
	for _, in := range []string{usual, `{"customer_id":"42"}`, " {\n\t\"customer_id\": \"42\",\r\n \"only_if_cached\": true }\n"} {
		if !flat([]byte(in), &scorev1.RequestScoreRequest{}) {
			t.Errorf("%s was left to protojson", in)
		}
	}
}

// What is read flat is read as protojson does.
func FuzzFlat(f *testing.F) {
	for _, in := range []string{
		usual, `{"wait":"1.000000001s","refresh":true,"only_if_cached":false}`, `{"wait":"-1s"}`, `{"wait":"1.s"}`, `{"wait":"00s"}`,
		`{"refresh":truefalse}`, `{"customer_id":"a",}`, `{}`, `{"customer_id":"a"}}`, `{"customerId":"a"}`, `{"customer_id":null}`, `{"wait":"1+1s"}`, "{\"wait\":\"0s\"}\x00",
	} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, want := &scorev1.RequestScoreRequest{}, &scorev1.RequestScoreRequest{}
		if !flat(data, got) {
			return
		}
		if err := unmarshalJSON.Unmarshal(data, want); err != nil || !proto.Equal(got, want) {
			t.Fatalf("%q: %v %s", data, err, cmp.Diff(got, want, protocmp.Transform()))
		}
	})
}

func BenchmarkUnmarshal(b *testing.B) {
	data := []byte(usual)
	b.Run("flat", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			flat(data, &scorev1.RequestScoreRequest{})
		}
	})
	b.Run("protojson", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = unmarshalJSON.Unmarshal(data, &scorev1.RequestScoreRequest{})
		}
	})
}
