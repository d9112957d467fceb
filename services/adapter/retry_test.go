package adapter

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/product"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func TestDelaysGrow(t *testing.T) {
	var at []time.Time
	handle := func(w http.ResponseWriter, r *http.Request, _ int) {
		at = append(at, time.Now())
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	in(t, handle, func(t *testing.T, w *world) {
		_, err := w.backend(t, product.HTTP, product.Idempotent).Call(t.Context(), aCall(time.Minute))
		wantCode(t, err, scorev1.Code_BACKEND_UNAVAILABLE)
		w.wantCalls(t, 4)
		want := firstDelay
		for i := 1; i < len(at); i++ {
			if d := at[i].Sub(at[i-1]); d < want*8/10 || d > want*12/10 {
				t.Errorf("delay %d is %v, want about %v", i, d, want)
			}
			want *= 2
		}
	})
}

func TestSuccessAfterFailures(t *testing.T) {
	handle := func(w http.ResponseWriter, r *http.Request, n int) {
		switch n {
		case 1:
			w.WriteHeader(http.StatusInternalServerError)
		case 2:
			panic(http.ErrAbortHandler) // the connection breaks
		default:
			answer(200, goodReport)(w, r, n)
		}
	}
	in(t, handle, func(t *testing.T, w *world) {
		report, err := w.backend(t, product.HTTP, product.Idempotent).Call(t.Context(), aCall(time.Minute))
		if err != nil || report.GetScore().GetValue() != 700 {
			t.Errorf("%v, %v", report, err)
		}
		w.wantCalls(t, 3)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	for _, form := range []string{"seconds", "date"} {
		var first, second time.Time
		handle := func(w http.ResponseWriter, r *http.Request, n int) {
			if n > 1 {
				second = time.Now()
				answer(200, goodReport)(w, r, n)
				return
			}
			first = time.Now()
			w.Header().Set("Retry-After", "20")
			if form == "date" {
				w.Header().Set("Retry-After", first.Add(20*time.Second).UTC().Format(http.TimeFormat))
			}
			w.WriteHeader(http.StatusTooManyRequests)
		}
		in(t, handle, func(t *testing.T, w *world) {
			if _, err := w.backend(t, product.HTTP, product.Idempotent).Call(t.Context(), aCall(time.Minute)); err != nil {
				t.Error(err)
			}
			if d := second.Sub(first); d < 20*time.Second || d > 31*time.Second {
				t.Errorf("%s: it came back after %v", form, d)
			}
		})
	}
}

func TestRetryAfterTheDeadlineIsNotWaitedFor(t *testing.T) {
	handle := func(w http.ResponseWriter, r *http.Request, n int) {
		w.Header().Set("Retry-After", "99999999999")
		if n == 1 {
			w.Header().Set("Retry-After", "3600")
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	in(t, handle, func(t *testing.T, w *world) {
		began := time.Now()
		_, err := w.backend(t, product.HTTP, product.Idempotent).Call(t.Context(), aCall(time.Minute))
		wantCode(t, err, scorev1.Code_BACKEND_UNAVAILABLE)
		w.wantCalls(t, 1)
		if d := time.Since(began); d != 0 {
			t.Errorf("it took %v", d)
		}
	})
}

// A deadline that passes between two attempts tells the failure of the last one.
func TestTheDeadlineEndsTheWaiting(t *testing.T) {
	in(t, answer(503, ""), func(t *testing.T, w *world) {
		began := time.Now()
		_, err := w.backend(t, product.HTTP, product.Idempotent).Call(t.Context(), aCall(100*time.Millisecond))
		wantCode(t, err, scorev1.Code_BACKEND_UNAVAILABLE)
		if d := time.Since(began); d != 100*time.Millisecond {
			t.Errorf("it took %v", d)
		}
	})
}

// Nobody there: also a call that must not be repeated is, since it was never sent.
func TestWhatWasNotSentIsRepeated(t *testing.T) {
	for _, call := range []string{product.Idempotent, product.AtMostOnce} {
		in(t, answer(200, goodReport), func(t *testing.T, w *world) {
			dials := 0
			transport := w.client.Transport.(*http.Transport)
			dial := transport.DialContext
			transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
				if dials++; dials < 4 {
					return nil, &net.OpError{Op: "dial", Net: network, Err: errAway}
				}
				return dial(ctx, network, addr)
			}
			if _, err := w.backend(t, product.HTTP, call).Call(t.Context(), aCall(time.Minute)); err != nil {
				t.Error(err)
			}
			w.wantCalls(t, 1)
		})
		in(t, answer(200, goodReport), func(t *testing.T, w *world) {
			w.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
				return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 9, 8, 7)}, Err: errAway}
			}
			_, err := w.backend(t, product.HTTP, call).Call(t.Context(), aCall(time.Minute))
			wantCode(t, err, scorev1.Code_BACKEND_UNAVAILABLE)
			if f, _ := errors.AsType[*fault.Error](err); f.Message != "the backend did not answer: connection refused" {
				t.Errorf("clients are told %q", f.Message)
			}
		})
	}
}

// The transport repeats by itself what it takes for idempotent, when a connection it has used before breaks. Never here.
func TestNoCallIsRepeatedBehindOurBack(t *testing.T) {
	handle := func(w http.ResponseWriter, r *http.Request, n int) {
		if n > 1 {
			panic(http.ErrAbortHandler)
		}
		answer(200, goodReport)(w, r, n)
	}
	in(t, handle, func(t *testing.T, w *world) {
		b := w.backend(t, product.HTTP, product.AtMostOnce)
		if _, err := b.Call(t.Context(), aCall(time.Minute)); err != nil {
			t.Fatal(err)
		}
		_, err := b.Call(t.Context(), aCall(time.Minute))
		wantCode(t, err, scorev1.Code_UNKNOWN_OUTCOME)
		w.wantCalls(t, 2)
	})
}

// A kept connection that its server has closed meanwhile makes no outcome unknown, not even when the next one cannot be had at once.
func TestAStaleConnectionIsReplaced(t *testing.T) {
	in(t, answer(200, goodReport), func(t *testing.T, w *world) {
		var last *staleConn
		dials := 0
		transport := w.client.Transport.(*http.Transport)
		dial := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if dials++; dials == 2 {
				return nil, errAway
			}
			conn, err := dial(ctx, network, addr)
			last = &staleConn{Conn: conn}
			return last, err
		}
		b := w.backend(t, product.HTTP, product.AtMostOnce)
		for range 3 {
			if _, err := b.Call(t.Context(), aCall(time.Minute)); err != nil {
				t.Fatal(err)
			}
			last.stale.Store(true)
		}
		w.wantCalls(t, 3)
	})
}

func TestRetryAfterForms(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-7": 0, "1.5": 0, "soon": 0, "99999999999999": 0, "4294967295": maxRetryAfter,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0, "Fri, 02 Jan 2099 03:04:00 GMT": maxRetryAfter,
	} {
		if got := retryAfter(http.Header{"Retry-After": {value}}, now); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
}
