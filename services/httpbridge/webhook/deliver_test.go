package webhook

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/natstest"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func TestAnEndpointIsToldWhenTheResultIsThere(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, nil)
	b.endpoint("crm", r.URL, "")
	for _, c := range []struct {
		status scorev1.Status
		is     string
	}{{scorev1.Status_READY, Completed}, {scorev1.Status_FAILED, Failed}, {scorev1.Status_CANCELLED, Cancelled}} {
		id, key := newID(t)
		b.start(id, key, &scorev1.Calculation{
			CustomerId: "customer-42", CreatedAt: timestamppb.Now(), Deadline: timestamppb.New(time.Now().Add(time.Hour)),
		})
		b.register("crm", id)
		b.await("crm", id, in(waiting))
		b.commit(id, c.status)
		var p payload
		got := r.next(t)
		if err := json.Unmarshal(got.body, &p); err != nil {
			t.Fatal(err)
		}
		want := data{
			CorrelationID: id.String(), Status: c.status.String(), Product: "credit",
			Link: "https://scores.example.com/v1/score-requests/" + id.String() + "/result",
		}
		if p.Type != c.is || fmt.Sprint(p.Data) != fmt.Sprint(want) || p.Timestamp.IsZero() {
			t.Errorf("%s: %s", c.status, got.body)
		}
		if strings.Contains(string(got.body), "customer") {
			t.Errorf("a thin payload names the customer: %s", got.body)
		}
		d := b.await("crm", id, in(delivered))
		if d.ID != got.id() || len(d.Attempts) != 1 || d.Attempts[0].Status != http.StatusNoContent {
			t.Errorf("%+v", d)
		}
		if err := b.store.Release(t.Context(), b.sequence(id)); err != nil { // as the correlator does
			t.Error(err)
		}
	}
}

// sequence is where a calculation stands.
func (b *bridge) sequence(id interface{ String() string }) uint64 {
	b.t.Helper()
	_, key := newID(b.t)
	c, err := b.store.First(b.t.Context(), key, 0)
	if err != nil || c == nil || c.CorrelationId != id.String() {
		b.t.Fatal(c, err)
	}
	return c.Sequence
}

func TestAResultThatIsThereAlreadyIsToldAtOnce(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, nil)
	b.endpoint("crm", r.URL, Full)
	id, _ := newID(t)
	b.commit(id, scorev1.Status_READY)
	b.register("crm", id)
	var p payload
	got := r.next(t)
	if err := json.Unmarshal(got.body, &p); err != nil || p.Type != Completed {
		t.Fatalf("%s %v", got.body, err)
	}
	var answer struct {
		CustomerID string `json:"customer_id"`
		Status     string `json:"status"`
	}
	if err := json.Unmarshal(p.Data.Answer, &answer); err != nil || answer.CustomerID != "customer-42" || answer.Status != "READY" {
		t.Errorf("%s %v", got.body, err)
	}
	b.await("crm", id, in(delivered))
}

func TestAnEndpointIsToldOnce(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, nil)
	b.endpoint("crm", r.URL, "")
	b.endpoint("erp", r.URL, "")
	first, _ := newID(t)
	second, _ := newID(t)
	for range 5 {
		b.register("crm", first)
		b.register("erp", first)
	}
	b.commit(first, scorev1.Status_READY)
	b.register("crm", first)
	b.await("crm", first, in(delivered))
	b.await("erp", first, in(delivered))
	b.register("crm", first)
	b.commit(second, scorev1.Status_READY)
	b.register("crm", second)
	b.await("crm", second, in(delivered))
	ids := map[string]bool{}
	for range len(r.requests) {
		ids[r.next(t).id()] = true
	}
	if n := len(ids); n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
	d := b.await("crm", first, in(delivered))
	if len(d.Attempts) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestAnAnswerAtHandIsToldWithoutItsResult(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, nil)
	b.endpoint("crm", r.URL, Full)
	id, _ := newID(t)
	answer := &scorev1.Answer{CorrelationId: id.String(), Status: scorev1.Status_READY, Product: "credit", CustomerId: "customer-42"}
	if err := b.Register(t.Context(), "crm", answer); err != nil {
		t.Fatal(err)
	}
	var p payload
	if err := json.Unmarshal(r.next(t).body, &p); err != nil || p.Type != Completed || p.Data.Answer != nil {
		t.Errorf("%+v %v", p, err)
	}
}

func TestAResultThatIsNoLongerKeptIsBelievedLate(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	id, _ := newID(t)
	now := time.Now()
	d := newDelivery("crm", id, now)
	again, err := b.look(t.Context(), d, id, now.Add(believed-1))
	if err != nil || d.State != waiting || again.IsZero() {
		t.Errorf("%+v %v %v", d, again, err)
	}
	if _, err = b.look(t.Context(), d, id, now.Add(believed)); err != nil || d.State != pending || d.Event.Type != Gone {
		t.Errorf("%+v %v", d, err)
	}
}

func TestStockLibraryVerifies(t *testing.T) {
	b := run(t, natstest.Run(t), development())
	r := receive(t, nil)
	before := b.endpoint("crm", r.URL, "")
	tell := func() received {
		id, _ := newID(t)
		b.commit(id, scorev1.Status_READY)
		b.register("crm", id)
		return r.next(t)
	}
	verify(t, tell(), before, true)

	var after endpointView
	b.call(http.StatusOK, "POST", root+"/crm/rotate-secret", nil, &after)
	if after.Secret == before.Secret || len(after.Secrets) != 2 || !strings.HasPrefix(after.PublicKey, "whpk_") {
		t.Fatalf("%+v", after)
	}
	both := tell()
	verify(t, both, before, true)
	verify(t, both, after, true)

	_, err := b.endpoints.update(t.Context(), "crm", func(e *endpoint) bool {
		e.Secrets[1].ValidUntil = time.Now() // the overlap is over
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	one := tell()
	verify(t, one, before, false)
	verify(t, one, after, true)
}

// verify checks a delivery with the secret and the public key of an endpoint.
func verify(t *testing.T, got received, v endpointView, want bool) {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(v.Secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := hook.Verify(got.body, got.header); (err == nil) != want {
		t.Errorf("the library says %v", err)
	}
	public, err := encoding.DecodeString(strings.TrimPrefix(v.PublicKey, publicPrefix))
	if err != nil {
		t.Fatal(err)
	}
	signed := fmt.Sprintf("%s.%s.%s", got.id(), got.header.Get("webhook-timestamp"), got.body)
	var valid bool
	for s := range strings.FieldsSeq(got.header.Get("webhook-signature")) {
		if text, ok := strings.CutPrefix(s, "v1a,"); ok {
			signature, err := encoding.DecodeString(text)
			valid = valid || err == nil && ed25519.Verify(public, []byte(signed), signature)
		}
	}
	if valid != want {
		t.Errorf("ed25519: %v", valid)
	}
}
