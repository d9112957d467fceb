package demo

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/scoreflow/scoreflow/pkg/score"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// mustRead reads a report that is one.
func mustRead(t *testing.T, text string) *scorev1.Report {
	t.Helper()
	var r scorev1.Report
	if err := protojson.Unmarshal([]byte(text), &r); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	if err := score.ValidateReport(&r); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return &r
}

func TestCreditTakesSeconds(t *testing.T) {
	for demo, span := range map[string][2]time.Duration{
		"":                   {1500 * time.Millisecond, 3500 * time.Millisecond},
		"slow":               {15 * time.Second, 35 * time.Second},
		"slow=7m":            {7 * time.Minute, 7 * time.Minute},
		"late":               {61 * time.Second, 61 * time.Second},
		"twice, slow=1s":     {time.Second, time.Second},
		"late,slow=2h,never": {3 * time.Hour, 3 * time.Hour}, // until the caller leaves
	} {
		in(t, func(w *world) {
			ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Hour)
			defer cancel()
			status, text := w.callUntil(ctx, "/credit", aCall("a", demo))
			if d := time.Since(w.began); d < span[0] || d > span[1] {
				t.Errorf("%q took %v", demo, d)
			}
			if ctx.Err() == nil && (status != 200 || mustRead(t, text).GetScore().GetOutcome() != scorev1.Outcome_SCORED) {
				t.Errorf("%q: %d %s", demo, status, text)
			}
		})
	}
}

func TestReportNotifies(t *testing.T) {
	in(t, func(w *world) {
		if got := w.report(aCall("a", "")); len(got) != 1 || mustRead(t, got[0]).GetScore().GetValue() == 0 {
			t.Fatalf("notified %q", got)
		}
		if w.at[0] < 4*time.Second || w.at[0] > 8*time.Second {
			t.Errorf("after %v", w.at[0])
		}
	})
}

func TestReportIsTheSameAsCredit(t *testing.T) {
	in(t, func(w *world) {
		_, credit := w.call("/credit", aCall("a", "slow=5s"))
		if got := w.report(aCall("a", "slow=5s")); got[0] != strings.TrimSpace(credit) {
			t.Errorf("notified %s, answered %s", got[0], credit)
		}
	})
}

func TestHowToNotify(t *testing.T) {
	same := func(t *testing.T, got []string) {
		if len(got) != 2 || got[0] != got[1] {
			t.Errorf("notified %q", got)
		}
	}
	other := func(t *testing.T, got []string) {
		if len(got) != 2 || mustRead(t, got[0]).GetScore().GetValue() == mustRead(t, got[1]).GetScore().GetValue() {
			t.Errorf("notified %q", got)
		}
	}
	for demo, check := range map[string]func(t *testing.T, got []string){
		"twice":           same,
		"conflict":        other,
		"no-hit,conflict": other,
		"never": func(t *testing.T, got []string) {
			if len(got) > 0 {
				t.Errorf("notified %q", got)
			}
		},
		"garbage": func(t *testing.T, got []string) {
			if len(got) != 1 || got[0] != garbage {
				t.Errorf("notified %q", got)
			}
		},
		"no-hit": func(t *testing.T, got []string) {
			if s := mustRead(t, got[0]).GetScore(); s.Outcome != scorev1.Outcome_NO_HIT || s.Value != nil {
				t.Errorf("notified %q", got)
			}
		},
	} {
		in(t, func(w *world) { check(t, w.report(aCall("a", demo))) })
	}
	in(t, func(w *world) {
		if w.report(aCall("a", "late")); w.at[0] != 61*time.Second {
			t.Errorf("the late notification came after %v", w.at[0])
		}
	})
}

func TestNotificationsAreRepeated(t *testing.T) {
	for _, c := range []struct {
		answers []int
		tries   int
	}{
		{[]int{503, 500, 302, 408, 425, 429, 200}, 7}, {[]int{404}, 1}, {[]int{503, 401, 200}, 2}, {[]int{204}, 1},
	} {
		in(t, func(w *world) {
			w.answers = c.answers
			if got := w.report(aCall("a", "")); len(got) != c.tries {
				t.Errorf("%v: tried %d times", c.answers, len(got))
			}
		})
	}
}

func TestFailingOnPurpose(t *testing.T) {
	in(t, func(w *world) {
		for i, want := range []int{503, 503, 200, 200} {
			if status, text := w.call("/credit", aCall("a", "fail=2")); status != want {
				t.Errorf("call %d: %d %s", i+1, status, text)
			}
		}
		for _, path := range []string{"/credit", "/report"} {
			if status, text := w.call(path, aCall("b", "fail")); status != 503 {
				t.Errorf("%s: %d %s", path, status, text)
			}
			status, text := w.call(path, aCall("c", "decline"))
			if status != 422 || mustRead(t, text).GetFailure().GetCode() != scorev1.Code_BACKEND_DECLINED {
				t.Errorf("%s: %d %s", path, status, text)
			}
		}
		if status, text := w.call("/credit", aCall("d", "garbage")); status != 200 || text != garbage {
			t.Errorf("%d %q", status, text)
		}
	})
}

// A repeated call joins the calculation and ends with it; the count tells.
func TestARepeatedCallIsTheSameCalculation(t *testing.T) {
	in(t, func(w *world) {
		answers := make(chan string, 2)
		for i := range 2 {
			go func() {
				<-time.After(time.Duration(i) * time.Second)
				_, text := w.call("/credit", aCall("a", "slow=10s"))
				answers <- text
			}()
		}
		first, second := <-answers, <-answers
		if d := time.Since(w.began); d != 10*time.Second {
			t.Errorf("it took %v", d)
		}
		_, third := w.call("/credit", aCall("a", "slow=10s"))
		if d := time.Since(w.began); d != 10*time.Second {
			t.Errorf("after the end it took until %v", d)
		}
		if first != second || second != third {
			t.Errorf("%s, %s and %s", first, second, third)
		}
		if n := w.service.Calls()["a"]; n != 3 {
			t.Errorf("%d calls", n)
		}
	})
	in(t, func(w *world) {
		if status, _ := w.call("/report", aCall("a", "")); status != http.StatusAccepted {
			t.Error(status)
		}
		if got := w.report(aCall("a", "")); len(got) != 1 {
			t.Errorf("while it runs: %d notifications", len(got))
		}
		if got := w.report(aCall("a", "")); len(got) != 2 || got[0] != got[1] {
			t.Errorf("after it ended: %q", got)
		}
	})
}

func TestTheEndStopsWhatIsUnderWay(t *testing.T) {
	in(t, func(w *world) {
		w.answers = make([]int, 1000) // 0 is no answer that ends it
		for cid, demo := range map[string]string{"a": "slow=24h", "b": "slow=1s"} {
			if status, text := w.call("/report", aCall(cid, demo)); status != http.StatusAccepted {
				t.Error(status, text)
			}
		}
		<-time.After(time.Minute)
		w.stop()
		w.service.jobs.Wait()
		if d := time.Since(w.began); d != time.Minute {
			t.Errorf("it took until %v", d)
		}
	})
}

func TestOldIDsAreForgotten(t *testing.T) {
	in(t, func(w *world) {
		for _, cid := range []string{"a", "b", "a", "c", "d", "a"} {
			w.call("/credit", aCall(cid, "decline"))
		}
		calls := w.service.Calls() // three fit
		if len(calls) != 3 || calls["a"] != 1 || calls["c"] != 1 || calls["d"] != 1 {
			t.Errorf("%v", calls)
		}
	})
}

func TestBadInput(t *testing.T) {
	for _, c := range []struct {
		path, body, says string
		status           int
	}{
		{"/credit", ``, "not the JSON of a call", 400},
		{"/credit", `[]`, "not the JSON of a call", 400},
		{"/credit", aCall("a", "") + "x", "not the JSON of a call", 400},
		{"/credit", `{"customer_id":42}`, "customer_id", 400},
		{"/credit", `{}`, "correlation_id: it is missing", 400},
		{"/credit", `{"correlation_id":"a"}`, "product: it is missing", 400},
		{"/credit", `{"correlation_id":"a","product":"credit"}`, "customer_id: it is missing", 400},
		{"/credit", `{"correlation_id":"` + strings.Repeat("a", 129) + `"}`, "more than 128 bytes", 400},
		{"/credit", `{"deadline":"soon"}`, "not the JSON of a call", 400},
		{"/credit", aCall("a", "dance"), `"dance" is none of`, 400},
		{"/credit", aCall("a", "slow=fast"), "slow=fast", 400},
		{"/credit", aCall("a", "slow=-1s"), "slow=-1s", 400},
		{"/credit", aCall("a", "fail=0"), "fail=0", 400},
		{"/credit", aCall("a", "never=1"), "never has no value", 400},
		{"/credit", strings.Repeat(" ", maxBody+1), "larger than", 413},
		{"/report", `{"correlation_id":"a","product":"credit","customer_id":"1"}`, "callback: it is missing", 400},
		{"/report", strings.Replace(aCall("a", ""), "http://us", "file://us", 1), "callback.url", 400},
		{"/report", strings.Replace(aCall("a", ""), "secret", "", 1), "callback.token", 400},
	} {
		in(t, func(w *world) {
			if status, text := w.call(c.path, c.body); status != c.status || !strings.Contains(text, c.says) {
				t.Errorf("%.80s: %d %s; want %d and %q", c.body, status, text, c.status, c.says)
			}
			if len(w.service.Calls()) > 0 {
				t.Errorf("%.80s: it was counted", c.body)
			}
		})
	}
}

// Whatever comes is answered: by 400, or as it asks for.
func FuzzCall(f *testing.F) {
	f.Add(aCall("a", "slow=30s,fail=2,decline"))
	f.Add(aCall("a", "late, =,slow="))
	f.Add(aCall("a", "garbage"))
	f.Add(`{"correlation_id":"\ud800","product":"\u0000","customer_id":"x"}`)
	f.Fuzz(func(t *testing.T, body string) {
		s := &Service{log: zap.NewNop(), memory: newMemory(1)}
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // nothing is waited for
		rec := httptest.NewRecorder()
		s.routes(ctx).ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, "/credit", strings.NewReader(body)))
		switch rec.Code {
		case 200, 400, 422, 503:
		default:
			t.Errorf("%q: %d", body, rec.Code)
		}
	})
}
