package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// A request that cannot be served is answered with the field that is wrong, and does no harm.
func TestBadRequestsAreToldWhatIsWrong(t *testing.T) {
	s := newSuite(t, nil)
	unknown := correlation.NewID(s.names.Key("default", credit, "nobody"), time.Now()).String()
	protobuf := nats.Header{"Content-Type": {"application/protobuf"}}
	notUTF8, err := proto.Marshal(&scorev1.RequestScoreRequest{CustomerId: "xxxx"})
	if err != nil {
		t.Fatal(err)
	}
	notUTF8 = bytes.Replace(notUTF8, []byte("xxxx"), []byte{0xff, 0xfe, 0xfd, 0xfc}, 1)
	token := s.handedOver(report, "known")

	for _, row := range []struct {
		to     string
		body   string
		header nats.Header
		code   scorev1.Code
		field  string
	}{
		{to: subject.Request, body: ``},
		{to: subject.Request, body: `this is not JSON`},
		{to: subject.Request, body: `null`},
		{to: subject.Request, body: `42`},
		{to: subject.Request, body: `[{"customer_id":"1"}]`},
		{to: subject.Request, body: `{"customer_id":"1"`},
		{to: subject.Request, body: "\x00\x01\x02\xff"},
		{to: subject.Request, body: strings.Repeat("[", 50_000)},
		{to: subject.Request, body: strings.Repeat("x", 1<<20)},
		{to: subject.Request, body: `{"customer_id":"` + strings.Repeat("x", 1<<20-18) + `"}`},
		{to: subject.Request, body: `{}`, field: "customer_id"},
		{to: subject.Request, body: `{"customer_id":""}`, field: "customer_id"},
		{to: subject.Request, body: `{"customer_id":null}`, field: "customer_id"},
		{to: subject.Request, body: `{"customer_id":42}`, field: "customer_id"},
		{to: subject.Request, body: `{"customer_id":["1"]}`, field: "customer_id"},
		{to: subject.Request, body: `{"customer_id":"` + strings.Repeat("x", 257) + `"}`, field: "customer_id"},
		{to: subject.Request, body: `{"customer_id":"` + strings.Repeat("x", 60_000) + `"}`, field: "customer_id"},
		{to: subject.Request, body: `{"customer_id":"a\u0000b"}`, field: "customer_id"},
		{to: subject.Request, body: "{\"customer_id\":\"\xff\xfe\"}", field: "customer_id"},
		{to: subject.Request, body: `{"customer_id":"1","customer_id":"2"}`, field: "customer_id"},
		{to: subject.Request, body: `{"custmer_id":"1"}`, field: "custmer_id"},
		{to: subject.Request, body: `{"customer_id":"1","wait":"-1s"}`, field: "wait"},
		{to: subject.Request, body: `{"customer_id":"1","wait":30}`, field: "wait"},
		{to: subject.Request, body: `{"customer_id":"1","wait":"soon"}`, field: "wait"},
		{to: subject.Request, body: `{"customer_id":"1","wait":"99999999999999s"}`, field: "wait"},
		{to: subject.Request, body: `{"customer_id":"1","max_age":"0s"}`, field: "max_age"},
		{to: subject.Request, body: `{"customer_id":"1","max_age":"-5s"}`, field: "max_age"},
		{to: subject.Request, body: `{"customer_id":"1","min_remaining":"-5s"}`, field: "min_remaining"},
		{to: subject.Request, body: `{"customer_id":"1","product":"nothing"}`, field: "product"},
		{to: subject.Request, body: `{"customer_id":"1","product":"Credit"}`, field: "product"},
		{to: subject.Request, body: `{"customer_id":"1","product":">"}`, field: "product"},
		{to: subject.Request, body: `{"customer_id":"1","refresh":"yes"}`, field: "refresh"},
		{to: subject.Request, body: `{"customer_id":"1","refresh":true,"only_if_cached":true}`, field: "refresh"},
		{to: subject.Request, body: `{"customer_id":"1","attributes":["a"]}`, field: "attributes"},
		{to: subject.Request, body: `{"customer_id":"1","attributes":{"a":"` + strings.Repeat("x", 17_000) + `"}}`, field: "attributes"},
		{to: subject.Request, body: `{"customer_id":"1","client_reference":"` + strings.Repeat("x", 257) + `"}`, field: "client_reference"},
		{to: subject.Request, body: `{"customer_id":"1","only_if_cached":true}`, code: scorev1.Code_NOT_CACHED},
		{to: subject.Request, body: "\x00\x01\x02\xff", header: protobuf},
		{to: subject.Request, body: string(notUTF8), header: protobuf},
		{to: subject.Request, body: `{"customer_id":"1"}`, header: nats.Header{"Content-Type": {"text/xml"}}, field: "Content-Type"},

		{to: subject.Fetch, body: `{}`, field: "correlation_id"},
		{to: subject.Fetch, body: `{"correlation_id":"` + unknown + `","customer_id":"1"}`, field: "customer_id"},
		{to: subject.Fetch, body: `{"correlation_id":"1"}`, field: "correlation_id"},
		{to: subject.Fetch, body: `{"correlation_id":"*"}`, field: "correlation_id"},
		{to: subject.Fetch, body: `{"correlation_id":"` + strings.ToUpper(unknown) + `"}`, field: "correlation_id"},
		{to: subject.Fetch, body: `{"correlation_id":"` + unknown + `"}`, code: scorev1.Code_NOT_FOUND},
		{to: subject.Fetch, body: `{"customer_id":"nobody"}`, code: scorev1.Code_NOT_FOUND},
		{to: subject.Fetch, body: `{"customer_id":"1","wait":"-1s"}`, field: "wait"},
		{to: subject.Fetch, body: `{"customer_id":"1","product":"nothing"}`, field: "product"},
		{to: subject.Fetch, body: `{"customer_id":"1","min_revision":-1}`, field: "min_revision"},

		{to: subject.Abort, body: `{}`, field: "correlation_id"},
		{to: subject.Abort, body: `{"correlation_id":"` + unknown + `"}`, code: scorev1.Code_NOT_FOUND},
		{to: subject.Abort, body: `{"correlation_id":"` + unknown + `","reason":"` + strings.Repeat("x", 257) + `"}`, field: "reason"},

		{to: subject.Notify, body: `{}`, field: "correlation_id"},
		{to: subject.Notify, body: `{"correlation_id":"` + unknown + `"}`, code: scorev1.Code_UNAUTHENTICATED, field: "token"},
		{to: subject.Notify, body: `{"correlation_id":"` + unknown + `","token":"x.y"}`, code: scorev1.Code_PERMISSION_DENIED, field: "token"},
		{to: subject.Notify, body: `{"correlation_id":"` + unknown + `","token":"` + token.Token + `"}`, code: scorev1.Code_PERMISSION_DENIED, field: "token"},
		{to: subject.Notify, body: notification(token, `{}`), field: "report"},
		{to: subject.Notify, body: notification(token, `{"score":{"outcome":"SCORED"}}`), field: "report.score.range_max"},
		{to: subject.Notify, body: notification(token, `{"score":{"outcome":"SCORED","value":"much"}}`), field: "report.score.value"},
		{to: subject.Notify, body: notification(token, `{"score":{"outcome":"PERHAPS"}}`), field: "report.score.outcome"},
		{to: subject.Notify, body: notification(token, `{"score":{"outcome":"NO_HIT"},"validity":"-1s"}`), field: "report.validity"},
	} {
		if row.code == 0 {
			row.code = scorev1.Code_INVALID_ARGUMENT
		}
		name := fmt.Sprintf("%s %.80q", row.to, row.body)
		reply, err := s.nc.RequestMsg(&nats.Msg{Subject: row.to, Header: row.header, Data: []byte(row.body)}, patience)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f, ok := wire.ReadReply(reply, &scorev1.Answer{}).(*fault.Error)
		if !ok || f.Code != row.code || f.Field != row.field || f.Message == "" || f.Retryable() {
			t.Errorf("%s: got %v: %s", name, f, reply.Data)
		}
		if err := s.nc.Publish(row.to, []byte(row.body)); err != nil { // the same with nobody to answer
			t.Errorf("%s: %v", name, err)
		}
	}
	s.works("1")
	if status, err := s.backend.notify(t.Context(), token.id(), s.backend.reported(token.id())); err != nil || status != http.StatusOK {
		t.Errorf("the good notification: %d, %v", status, err)
	}
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

// The same over HTTP, where backends notify.
func TestBadNotificationsOverHTTPAreRefused(t *testing.T) {
	s := newSuite(t, nil)
	known := s.handedOver(report, "known")
	base := strings.TrimSuffix(known.URL, known.id())
	unknown := correlation.NewID(s.names.Key("default", report, "nobody"), time.Now()).String()
	good := string(asJSON(s.backend.reported(known.id())))
	for _, row := range []struct {
		method, url, token, body string
		status                   int
	}{
		{http.MethodPost, known.URL, known.Token, "this is not JSON", http.StatusBadRequest},
		{http.MethodPost, known.URL, known.Token, "", http.StatusBadRequest},
		{http.MethodPost, known.URL, known.Token, "\xff\xfe", http.StatusBadRequest},
		{http.MethodPost, known.URL, known.Token, `{"score":{}}`, http.StatusBadRequest},
		{http.MethodPost, known.URL, known.Token, `{"scores":{}}`, http.StatusBadRequest},
		{http.MethodPost, known.URL, known.Token, strings.Repeat("x", 1<<20), http.StatusBadRequest},
		{http.MethodPost, known.URL, "", good, http.StatusUnauthorized},
		{http.MethodPost, known.URL, "wrong", good, http.StatusForbidden},
		{http.MethodPost, known.URL, base64.RawURLEncoding.EncodeToString([]byte(good)) + ".", good, http.StatusForbidden},
		{http.MethodPost, base + unknown, known.Token, good, http.StatusForbidden},
		{http.MethodPost, base + "nonsense", known.Token, good, http.StatusBadRequest},
		{http.MethodPost, base, known.Token, good, http.StatusNotFound},
		{http.MethodGet, known.URL, known.Token, "", http.StatusMethodNotAllowed},
		{http.MethodPost, known.URL, known.Token, good, http.StatusOK},
	} {
		req, err := http.NewRequestWithContext(t.Context(), row.method, row.url, strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		if row.token != "" {
			req.Header.Set("Authorization", "Bearer "+row.token)
		}
		resp, err := s.backend.client.Do(req)
		if err != nil {
			t.Fatalf("%s %.80q: %v", row.url, row.body, err)
		}
		resp.Body.Close()
		if resp.StatusCode != row.status {
			t.Errorf("%s %s %.80q: %d, not %d", row.method, row.url, row.body, resp.StatusCode, row.status)
		}
	}
	s.backend.speak(known.id(), s.backend.reported(known.id()))
	s.check(t, func(*scorev1.Answer) int { return 1 })
}

// handedOver has the backend be handed a calculation of which it does not notify, and returns where it could.
func (s *suite) handedOver(product, customer string) callback {
	s.t.Helper()
	called := make(chan struct{}, 1)
	s.backend.answers(func(_ context.Context, c call) verdict {
		if c.Customer != customer {
			return verdict{}
		}
		called <- struct{}{}
		return verdict{silent: true}
	})
	answer, err := s.ask(s.t.Context(), &scorev1.RequestScoreRequest{CustomerId: customer, Product: product})
	if err != nil {
		s.t.Fatal(err)
	}
	await(s.t, called, "the call")
	return s.backend.token(answer.CorrelationId)
}

// works says whether a normal request for the customer does.
func (s *suite) works(customer string) {
	s.t.Helper()
	for _, product := range []string{credit, fraud, report} {
		answer, err := s.ask(s.t.Context(), &scorev1.RequestScoreRequest{
			CustomerId: customer, Product: product, Refresh: true, Wait: durationpb.New(patience),
		})
		if err != nil || answer.Status != scorev1.Status_READY {
			s.t.Errorf("%s: %v, %v", product, answer, err)
		}
	}
}

func (c callback) id() string { return c.URL[strings.LastIndexByte(c.URL, '/')+1:] }

func notification(c callback, report string) string {
	return fmt.Sprintf(`{"correlation_id":%q,"token":%q,"report":%s}`, c.id(), c.Token, report)
}
