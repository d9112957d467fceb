package score

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/scoreflow/scoreflow/pkg/correlation"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// moment draws one within an hour of noon, often one on the second.
func moment(t *rapid.T, name string) time.Time {
	return noon.Add(duration(t, name, -time.Hour))
}

func duration(t *rapid.T, name string, least time.Duration) time.Duration {
	d := time.Duration(rapid.Int64Range(int64(least), int64(time.Hour)).Draw(t, name))
	if rapid.Bool().Draw(t, name+" in whole seconds") {
		d = d.Truncate(time.Second)
	}
	return d
}

func anyRecord(t *rapid.T) Record {
	r := Record{Revision: 1}
	if rapid.Bool().Draw(t, "score") {
		r.ID = correlation.ID{1}
		r.CalculatedAt = moment(t, "calculated")
		r.BeganAt = r.CalculatedAt
		r.ValidUntil = moment(t, "valid until")
	}
	if rapid.Bool().Draw(t, "failure") {
		r.FailedID, r.FailedUntil = correlation.ID{2}, moment(t, "failed until")
	}
	return r
}

func anyWishes(t *rapid.T) Wishes {
	var w Wishes
	if rapid.Bool().Draw(t, "wants it young") {
		w.MaxAge = duration(t, "max age", 1)
	}
	if rapid.Bool().Draw(t, "wants it to last") {
		w.MinRemaining = duration(t, "min remaining", 1)
	}
	w.Refresh = rapid.IntRange(0, 3).Draw(t, "refresh") == 0
	return w
}

func TestDecideIsWhatItPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, w, now := anyRecord(t), anyWishes(t), moment(t, "now")
		remaining, age := r.ValidUntil.Sub(now), now.Sub(r.CalculatedAt)
		serves := r.HasScore() && !w.Refresh && remaining > 0 && remaining >= w.MinRemaining && (w.MaxAge == 0 || age <= w.MaxAge)
		switch v := Decide(r, w, now); v {
		case Ready:
			if !serves {
				t.Fatalf("served a score of age %v with %v remaining to %+v", age, remaining, w)
			}
		case Failed:
			if serves || !now.Before(r.FailedUntil) {
				t.Fatalf("failed at %v, until %v, with a score that serves: %v", now, r.FailedUntil, serves)
			}
		case Calculate:
			if serves || now.Before(r.FailedUntil) {
				t.Fatalf("calculates at %v, failed until %v, with a score that serves: %v", now, r.FailedUntil, serves)
			}
		}
	})
}

// Nothing that does not serve now serves later, or serves somebody who asks for more.
func TestDecideIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, w, now := anyRecord(t), anyWishes(t), moment(t, "now")
		if r.Satisfies(w, now) {
			return
		}
		more, later := w, now.Add(duration(t, "later", 0))
		more.MinRemaining += duration(t, "longer", 0)
		if w.MaxAge > 0 {
			more.MaxAge = max(w.MaxAge-duration(t, "younger", 0), 1)
		} else if rapid.Bool().Draw(t, "young") {
			more.MaxAge = duration(t, "as young", 1)
		}
		more.Refresh = w.Refresh || rapid.Bool().Draw(t, "new")
		if Decide(r, more, later) == Ready {
			t.Fatalf("%+v does not serve %+v at %v, and serves %+v at %v", r, w, now, more, later)
		}
	})
}

// A failure is no reason to withhold a score.
func TestMemoHidesNoScore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, w, now := anyRecord(t), anyWishes(t), moment(t, "now")
		without := r
		without.FailedID, without.FailedUntil = correlation.ID{}, time.Time{}
		if got, want := Decide(r, w, now) == Ready, Decide(without, w, now) == Ready; got != want {
			t.Fatalf("ready %v with the failure, %v without", got, want)
		}
	})
}

// soon draws a duration about as long as Overlap.
func soon(t *rapid.T, name string) time.Duration {
	return time.Duration(rapid.IntRange(0, 8).Draw(t, name)) * Overlap / 4
}

// Whatever a calculation ends with, a score that was calculated after it was started or one that it reuses, serves everyone who joined it.
func TestWhoJoinsIsServed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Wishes{MaxAge: soon(t, "max age"), Refresh: rapid.IntRange(0, 3).Draw(t, "refresh") == 0}
		received := noon.Add(soon(t, "until the request"))
		if !w.Joins(noon, received) {
			return
		}
		if w.Refresh {
			t.Fatal("joined one that has perhaps begun, and wants a new score")
		}
		r := Record{ID: correlation.ID{1}, CalculatedAt: noon.Add(Overlap - soon(t, "before")), ValidUntil: noon.Add(time.Hour)}
		starter := Wishes{MaxAge: soon(t, "max age of who started it")}
		if r.CalculatedAt.Before(noon) && !r.Reusable(starter, noon, noon.Add(soon(t, "until the look"))) {
			return
		}
		if !r.Satisfies(w, received) {
			t.Fatalf("joined, and the score's age is %v, max_age %v", received.Sub(r.CalculatedAt), w.MaxAge)
		}
	})
}

// A score that is reused serves the request that started the calculation, and is still valid.
func TestReusedScoreServesWhoStarted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Record{ID: correlation.ID{1}, CalculatedAt: noon.Add(-soon(t, "before")), ValidUntil: noon.Add(soon(t, "validity"))}
		w := Wishes{MaxAge: soon(t, "max age"), MinRemaining: soon(t, "min remaining")}
		now := noon.Add(soon(t, "until the look"))
		if r.Reusable(w, noon, now) && (!r.Satisfies(w, noon) || !now.Before(r.ValidUntil) || r.CalculatedAt.Before(noon.Add(-Overlap))) {
			t.Fatalf("%+v was reused at %v for %+v", r, now, w)
		}
	})
}

func TestBoundaries(t *testing.T) {
	r := Record{ID: correlation.ID{1}, CalculatedAt: noon.Add(-time.Minute), ValidUntil: noon.Add(time.Minute)}
	failed := Record{FailedID: correlation.ID{2}, FailedUntil: noon.Add(time.Second)}
	for _, c := range []struct {
		name   string
		record Record
		wishes Wishes
		now    time.Time
		want   Verdict
	}{
		{"nothing is there", Record{}, Wishes{}, noon, Calculate},
		{"valid for a nanosecond", r, Wishes{}, r.ValidUntil.Add(-1), Ready},
		{"expires now", r, Wishes{}, r.ValidUntil, Calculate},
		{"as old as it may be", r, Wishes{MaxAge: time.Minute}, noon, Ready},
		{"a nanosecond too old", r, Wishes{MaxAge: time.Minute}, noon.Add(1), Calculate},
		{"lasts as long as it should", r, Wishes{MinRemaining: time.Minute}, noon, Ready},
		{"lasts a nanosecond too short", r, Wishes{MinRemaining: time.Minute}, noon.Add(1), Calculate},
		{"calculated by a clock that is ahead", r, Wishes{MaxAge: 1}, noon.Add(-2 * time.Minute), Ready},
		{"refresh", r, Wishes{Refresh: true}, noon, Calculate},
		{"failed a moment ago", failed, Wishes{}, noon, Failed},
		{"failed long ago", failed, Wishes{}, failed.FailedUntil, Calculate},
		{"failed a moment ago, and a new score is wanted", failed, Wishes{Refresh: true}, noon, Failed},
	} {
		if got := Decide(c.record, c.wishes, c.now); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestJoins(t *testing.T) {
	for _, c := range []struct {
		name   string
		wishes Wishes
		ago    time.Duration
		want   bool
	}{
		{"any score", Wishes{}, 24 * time.Hour, true},
		{"a lasting score", Wishes{MinRemaining: time.Hour}, 24 * time.Hour, true},
		{"a new score", Wishes{Refresh: true}, 0, false},
		{"a young score, started in time", Wishes{MaxAge: time.Minute}, time.Minute - Overlap, true},
		{"a young score, started too early", Wishes{MaxAge: time.Minute}, time.Minute - Overlap + 1, false},
		{"a score younger than one that may be reused", Wishes{MaxAge: Overlap - 1}, 0, false},
	} {
		if got := c.wishes.Joins(noon.Add(-c.ago), noon); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestReusable(t *testing.T) {
	r := Record{ID: correlation.ID{1}, CalculatedAt: noon, ValidUntil: noon.Add(time.Hour)}
	for _, c := range []struct {
		name           string
		record         Record
		wishes         Wishes
		created, later time.Duration
		want           bool
	}{
		{"none is there", Record{}, Wishes{}, 0, 0, false},
		{"calculated just before", r, Wishes{}, Overlap, 0, true},
		{"calculated long before", r, Wishes{}, Overlap + 1, 0, false},
		{"calculated after", r, Wishes{}, -time.Minute, 2 * time.Minute, true},
		{"older than was wished", r, Wishes{MaxAge: time.Second}, time.Second + 1, 0, false},
		{"as old as was wished, when that was wished", r, Wishes{MaxAge: time.Second}, time.Second, time.Minute, true},
		{"expired meanwhile", r, Wishes{}, 0, time.Hour, false},
		{"about to expire", r, Wishes{MinRemaining: time.Minute}, 0, 59*time.Minute + 1, false},
		{"a new one is wanted", r, Wishes{Refresh: true}, 0, 0, false},
	} {
		created := noon.Add(c.created)
		if got := c.record.Reusable(c.wishes, created, created.Add(c.later)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
