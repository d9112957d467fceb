package adapter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/score"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const (
	maxAnswer       = 1 << 20 // bytes of a backend's answer
	maxAnswerHeader = 64 << 10
	maxRetryAfter   = 24 * time.Hour // more than this is no different from never

	connectTimeout  = 10 * time.Second
	idleConnTimeout = 30 * time.Second // shorter than servers usually keep a connection, so that few are found closed
)

// newClient is an HTTP client for backends, for so many calls at once of any one host. It has no time-out of its own: the deadline
// of each calculation bounds its calls. It follows no redirects, which could lead a customer's data anywhere.
func newClient(concurrency int) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: connectTimeout}).DialContext,
			TLSHandshakeTimeout:    connectTimeout,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    concurrency,
			IdleConnTimeout:        idleConnTimeout,
			MaxResponseHeaderBytes: maxAnswerHeader,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// httpBackend is a backend behind one URL, of both kinds.
type httpBackend struct {
	url        string
	client     *http.Client
	handsOver  bool // a good answer means that the backend will notify
	atMostOnce bool
	retries    retrypolicy.RetryPolicy[any]
}

// httpCall is the body of a call.
type httpCall struct {
	CorrelationID string            `json:"correlation_id"`
	Product       string            `json:"product"`
	CustomerID    string            `json:"customer_id"`
	Attributes    map[string]string `json:"attributes,omitempty"`
	Deadline      time.Time         `json:"deadline"`
	Callback      *httpCallback     `json:"callback,omitempty"`
}

type httpCallback struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// Call calls until there is an answer that counts. The last attempt decides, not the policy: what a backend has reported must not be lost
// to a context that ended a moment later.
func (b *httpBackend) Call(ctx context.Context, c Call) (*scorev1.Report, error) {
	bounded, cancel := context.WithDeadline(ctx, c.Deadline)
	defer cancel()
	var report *scorev1.Report
	var failed *fault.Error
	_ = failsafe.With(b.retries).WithContext(bounded).Run(func() error {
		if report, failed = b.attempt(bounded, c); failed == nil {
			return nil
		}
		if failed.RetryAfter > time.Until(c.Deadline) {
			cancel() // it would be of no use any more
		}
		return failed
	})
	switch {
	case failed == nil:
		return report, nil
	case failed.Code != scorev1.Code_BACKEND_DECLINED && errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	}
	return nil, failed
}

// attempt calls once.
func (b *httpBackend) attempt(ctx context.Context, c Call) (*scorev1.Report, *fault.Error) {
	var sent atomic.Bool // perhaps; the transport looks for another connection only when nothing was written to the last one
	req, err := b.request(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { sent.Store(false) },
		WroteHeaders: func() { sent.Store(true) },
	}), c)
	if err != nil {
		return nil, fault.New(scorev1.Code_BACKEND_DECLINED, "the call cannot be made")
	}
	report, failed := b.do(req)
	switch {
	case failed == nil, failed.Code == scorev1.Code_BACKEND_DECLINED:
		return report, failed
	case b.atMostOnce && sent.Load():
		return nil, fault.New(scorev1.Code_UNKNOWN_OUTCOME, "%s; the call is not repeated, and what came of it is not known", failed.Message)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fault.New(scorev1.Code_DEADLINE_EXCEEDED, "the backend did not answer before the deadline")
	}
	return nil, failed
}

func (b *httpBackend) request(ctx context.Context, c Call) (*http.Request, error) {
	body := httpCall{
		CorrelationID: c.ID.String(), Product: c.Product, CustomerID: c.CustomerID, Attributes: c.Attributes, Deadline: c.Deadline.UTC(),
	}
	if c.Callback != nil {
		body.Callback = &httpCallback{URL: c.Callback.URL, Token: c.Callback.Token}
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.url, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Deadline", body.Deadline.Format(time.RFC3339Nano))
	req.Header.Set(subject.CorrelationID, body.CorrelationID)
	// In lower case, where the transport does not see it: it repeats requests that have this key by itself, even when they were sent.
	req.Header["idempotency-key"] = []string{strconv.Quote(body.CorrelationID)}
	c.Trace.Set(req.Header)
	return req, nil
}

// do sends the request and reads its answer. Its errors are BACKEND_UNAVAILABLE and BACKEND_DECLINED.
func (b *httpBackend) do(req *http.Request) (*scorev1.Report, *fault.Error) {
	resp, err := b.client.Do(req)
	if err != nil {
		return nil, unavailable("the backend did not answer: %s", innermost(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode/100 == 2 && b.handsOver:
		return nil, nil
	case declined(resp.StatusCode):
		return readDeclined(resp.StatusCode, body)
	case resp.StatusCode/100 != 2:
		f := unavailable("the backend answered %d", resp.StatusCode)
		f.RetryAfter = retryAfter(resp.Header, time.Now())
		return nil, f
	case err != nil:
		return nil, unavailable("the backend's answer broke off: %s", innermost(err))
	case len(body) > maxAnswer:
		return nil, unavailable("the backend's answer is larger than %d bytes", maxAnswer)
	}
	report, err := readReport(body)
	if err != nil {
		return nil, unavailable("the backend's answer is not a report: %v", err)
	}
	return report, nil
}

// declined says whether an answer of this status is the backend's no. The other three say "not now".
func declined(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status/100 == 4
}

// readDeclined makes of a no the report it may bring: what the backend says of the reason is for the customer, and not for our log.
func readDeclined(status int, body []byte) (*scorev1.Report, *fault.Error) {
	report, err := readReport(body)
	if f := report.GetFailure(); err == nil && f != nil {
		f.Code, f.Retryable = scorev1.Code_BACKEND_DECLINED, false
		return report, nil
	}
	return nil, fault.New(scorev1.Code_BACKEND_DECLINED, "the backend answered %d", status)
}

// readReport reads a report in JSON. A newer backend may say more than we know. The error repeats nothing of what was read.
func readReport(data []byte) (*scorev1.Report, error) {
	r := new(scorev1.Report)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, r); err != nil {
		return nil, errors.New("it is not the JSON of one")
	}
	score.NormalizeReport(r)
	if err := score.ValidateReport(r); err != nil {
		f := fault.From(err)
		return nil, errors.New(f.Field + ": " + f.Message)
	}
	return r, nil
}

// retryAfter is how long the answer asks to wait: a number of seconds or a date (RFC 9110, section 10.2.3); 0 = it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(seconds)*time.Second, maxRetryAfter)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

func unavailable(format string, args ...any) *fault.Error {
	return fault.New(scorev1.Code_BACKEND_UNAVAILABLE, format, args...)
}

// innermost is the text of the innermost error: the outer ones name addresses, which are not for clients to know.
func innermost(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Err
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err.Error()
}
