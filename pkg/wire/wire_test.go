package wire

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func TestBadJSONNamesTheField(t *testing.T) {
	for _, c := range []struct{ in, field, says string }{
		{``, "", "not JSON"},
		{`x`, "", "not JSON"},
		{`{"customer_id":`, "", "not JSON"},
		{`[]`, "", "not a JSON object"},
		{`"42"`, "", "not a JSON object"},
		{`{"customer_id":1}`, "customer_id", "wrong type"},
		{`{"customer_id":"a","custmer":1}`, "custmer", "no such field"},
		{`{"customer_id":"a","wait":"5"}`, "wait", "not a duration"},
		{`{"customer_id":"a", "wait" : 5 }`, "wait", "wrong type"},
		{"{\"customer_id\":\"ä\",\n \"wait\":{}}", "wait", "wrong type"},
		{`{"refresh":"yes","customer_id":"a"}`, "refresh", "wrong type"},
		{`{"attributes":{"a":1}}`, "attributes.a", "wrong type"},
		{`{"attributes":[]}`, "attributes", "wrong type"},
		{`{"customer_id":"a","customer_id":"b"}`, "customer_id", "twice"},
		{"{\"customer_id\":\"\xff\"}", "customer_id", "UTF-8"},
	} {
		var m scorev1.RequestScoreRequest
		err := JSON.Unmarshal([]byte(c.in), &m)
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Code != scorev1.Code_INVALID_ARGUMENT || f.Field != c.field || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s: %v; want field %q and %q", c.in, err, c.field, c.says)
		}
	}
}

func TestTooLarge(t *testing.T) {
	for _, e := range []Encoding{JSON, Protobuf} {
		if err := e.Unmarshal(make([]byte, MaxRequest+1), &scorev1.RequestScoreRequest{}); err == nil {
			t.Errorf("%v was read", e)
		}
	}
}

func TestContentType(t *testing.T) {
	for in, want := range map[string]Encoding{"": JSON, "application/json": JSON, "Application/JSON; charset=utf-8": JSON, "application/protobuf": Protobuf} {
		if got, err := Of(nats.Header{"Content-Type": {in}}); got != want || err != nil {
			t.Errorf("%q is %v, %v", in, got, err)
		}
	}
	if _, err := Of(nats.Header{"Content-Type": {"text/xml"}}); err == nil {
		t.Error("text/xml was taken")
	}
}

func TestAReplyTellsItsError(t *testing.T) {
	told := fault.Invalid("wait", "it is negative")
	for _, e := range []Encoding{JSON, Protobuf} {
		msg := e.ErrorMessage("inbox", told)
		err := ReadReply(msg, &scorev1.Answer{})
		if diff := cmp.Diff(told, err); diff != "" {
			t.Errorf("%v: %s", e, diff)
		}
		if code := msg.Header.Get("Nats-Service-Error-Code"); code != "400" {
			t.Errorf("%v: code %q", e, code)
		}
	}
}

func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"customer_id":"42","attributes":{"a":"b"},"wait":"5s"}`), false)
	f.Add([]byte(`{"a":[{"b":[1,"x",{}]}],"wait":{}}`), false)
	f.Add([]byte("\x0a\x0242"), true)
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		e := JSON
		if binary {
			e = Protobuf
		}
		for _, m := range []proto.Message{&scorev1.RequestScoreRequest{}, &scorev1.FetchScoreRequest{}, &scorev1.NotifyRequest{}, &scorev1.AbortRequest{}} {
			err := e.Unmarshal(data, m)
			if err != nil {
				if _, ok := errors.AsType[*fault.Error](err); !ok {
					t.Fatalf("%v is not an error to tell", err)
				}
				e.ErrorMessage("x", err)
				continue
			}
			out, err := e.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			back := m.ProtoReflect().New().Interface()
			if err := e.Unmarshal(out, back); err == nil && !proto.Equal(m, back) {
				t.Fatal(cmp.Diff(m, back, protocmp.Transform()))
			}
		}
	})
}
