package bench

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// sample is what came of one turn.
type sample struct {
	n         int64   // answers
	rate      float64 // of them, a second
	latencies *hdrhistogram.Histogram
	cpu       time.Duration // that each answer took, of all processes together
	nats      time.Duration // of it, the NATS server's
}

// metered adds what a turn took of the processors.
func metered(t testing.TB, all []*process, turn func() sample) sample {
	t.Helper()
	before, natsBefore := cpuOf(t, all)
	s := turn()
	after, natsAfter := cpuOf(t, all)
	n := time.Duration(max(s.n, 1))
	s.cpu, s.nats = (after-before)/n, (natsAfter-natsBefore)/n
	return s
}

// done is the sample of a turn that has ended.
func done(begin time.Time, latencies *hdrhistogram.Histogram) sample {
	n := latencies.TotalCount()
	return sample{n: n, rate: float64(n) / time.Since(begin).Seconds(), latencies: latencies}
}

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, int64(time.Minute/time.Microsecond), 3)
}

// timings collects latencies from many goroutines.
type timings struct {
	mu sync.Mutex
	h  *hdrhistogram.Histogram
}

func newTimings() *timings { return &timings{h: newHistogram()} }

func (l *timings) took(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_ = l.h.RecordValue(max(d.Microseconds(), 1)) // fails beyond a minute, where every turn has ended
}

// closed has do done n times at once for a while: whoever is answered asks again.
func closed(t testing.TB, n int, do func() error) sample {
	t.Helper()
	all := newHistogram()
	var mu sync.Mutex
	var under sync.WaitGroup
	var failed atomic.Value
	begin := time.Now()
	for range n {
		under.Go(func() {
			own := newHistogram()
			for last := begin; last.Sub(begin) < turn(); {
				if err := do(); err != nil {
					failed.Store(err)
					return
				}
				now := time.Now()
				_ = own.RecordValue(now.Sub(last).Microseconds())
				last = now
			}
			mu.Lock()
			defer mu.Unlock()
			all.Merge(own)
		})
	}
	under.Wait()
	s := done(begin, all)
	if err, _ := failed.Load().(error); err != nil {
		t.Fatal(err)
	}
	return s
}

// paced has do done so many times a second for a while, whether or not the ones before have been answered.
func paced(t testing.TB, perSecond int, do func() error) sample {
	t.Helper()
	latencies := newTimings()
	var under sync.WaitGroup
	var failed atomic.Value
	begin := time.Now()
	const beat = time.Millisecond // what timers can do
	ticks := time.NewTicker(beat)
	defer ticks.Stop()
	for sent := 0; time.Since(begin) < turn(); <-ticks.C {
		for due := int(time.Since(begin).Seconds() * float64(perSecond)); sent < due; sent++ {
			asked := time.Now()
			under.Go(func() {
				if err := do(); err != nil {
					failed.Store(err)
				}
				latencies.took(time.Since(asked))
			})
		}
	}
	under.Wait()
	s := done(begin, latencies.h)
	if err, _ := failed.Load().(error); err != nil {
		t.Fatal(err)
	}
	return s
}

// series is the samples of a row, one of each round.
type series []sample

func (s series) rates() []float64 {
	var all []float64
	for _, one := range s {
		all = append(all, one.rate)
	}
	return all
}

// at is a percentile in microseconds, one of each round.
func (s series) at(percentile float64) []float64 {
	var all []float64
	for _, one := range s {
		all = append(all, float64(one.latencies.ValueAtQuantile(percentile)))
	}
	return all
}

// cpus is the processor time of an answer, in all and of the NATS server alone, for people. It is the mean of the rounds, because it is
// measured too coarsely in one.
func (s series) cpus() (all, nats string) {
	var cpu, server time.Duration
	for _, one := range s {
		cpu, server = cpu+one.cpu, server+one.nats
	}
	n := time.Duration(len(s))
	return (cpu / n).Round(time.Microsecond).String(), (server / n).Round(time.Microsecond).String()
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}

// ratios is a divided by b, round by round.
func ratios(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] / b[i]
	}
	return out
}
