package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"code.dny.dev/ssrf"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// The problems of an attempt. They are all that a registrant learns: neither what was answered nor what the network is like here.
const (
	refused     = "status"      // the receiver answered, and not with a 2xx
	redirected  = "redirect"    // no redirect is followed
	timedOut    = "timeout"     // no answer in time
	forbidden   = "address"     // the name leads to where no webhook may go
	insecure    = "tls"         // no secure connection
	unreachable = "connection"  // no connection, or it broke
	unsigned    = "signature"   // the payload could not be made
	interrupted = "interrupted" // a bridge was stopped or died; what the receiver made of it is not known
)

const (
	maxResponse   = 64 << 10 // bytes of a response that are read, so that the connection can be used again
	maxHeader     = 64 << 10
	idlePerHost   = 4
	handshakeTime = 10 * time.Second
)

// outcome is what came of an attempt.
type outcome struct {
	status     int
	problem    string
	retryAfter time.Duration // that the receiver asked for
	took       time.Duration
}

func (o outcome) ok() bool   { return o.problem == "" }
func (o outcome) gone() bool { return o.status == http.StatusGone }

// overloaded says whether the endpoint is to be left alone for a while, and not only this delivery.
func (o outcome) overloaded() bool {
	switch o.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout:
		return true
	}
	return o.retryAfter > 0 && !o.ok()
}

// newClient makes the client that talks to receivers. Where a name leads is checked when it is dialled, after it was resolved, so it does
// not help to let it lead elsewhere later. A proxy would dial instead, so none is used.
func newClient(cfg Config) *http.Client {
	dialer := &net.Dialer{Timeout: handshakeTime}
	if !cfg.AllowPrivate {
		dialer.Control = ssrf.New(ssrf.WithPorts(cfg.Ports...)).Safe
	}
	return &http.Client{
		Timeout:       cfg.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs},
			TLSHandshakeTimeout:    handshakeTime,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConnsPerHost:    idlePerHost,
			IdleConnTimeout:        time.Minute,
		},
	}
}

// send makes one attempt.
func (s *Service) send(ctx context.Context, e *endpoint, id string, body []byte) outcome {
	now := time.Now()
	o := s.exchange(ctx, e, id, body, now)
	o.took = time.Since(now)
	return o
}

func (s *Service) exchange(ctx context.Context, e *endpoint, id string, body []byte, now time.Time) outcome {
	signature, err := sign(e.Secrets, id, now, body)
	if err != nil {
		return outcome{problem: unsigned}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL, bytes.NewReader(body))
	if err != nil {
		return outcome{problem: unreachable}
	}
	req.Header = http.Header{
		"Content-Type": {"application/json"},
		"User-Agent":   {"scoreflow-webhooks/1"},
	}
	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(now.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	resp, err := s.client.Do(req)
	if err != nil {
		return outcome{problem: problem(ctx, err)}
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxResponse) // the status has decided
	o := outcome{status: resp.StatusCode, retryAfter: retryAfter(resp.Header, now)}
	switch resp.StatusCode / 100 {
	case 2:
	case 3:
		o.problem = redirected
	default:
		o.problem = refused
	}
	return o
}

// problem tells what kept an answer away.
func problem(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return interrupted
	}
	for _, e := range []error{ssrf.ErrProhibitedIP, ssrf.ErrProhibitedPort, ssrf.ErrProhibitedNetwork, ssrf.ErrInvalidHostPort} {
		if errors.Is(err, e) {
			return forbidden
		}
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return insecure
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return insecure
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return insecure
	}
	if n, ok := errors.AsType[net.Error](err); ok && n.Timeout() {
		return timedOut
	}
	return unreachable
}

// retryAfter reads seconds or a date; 0 when there is neither.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := h.Get("Retry-After")
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
