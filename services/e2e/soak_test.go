package e2e

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// soak breaks everything at random while clients ask for everything at random.
type soak struct {
	*world
	seed     uint64
	breakers sync.WaitGroup
	faults   atomic.Int64
	requests atomic.Int64
	answered atomic.Int64

	mu     sync.Mutex
	strict map[string]time.Time // the last time that only a calculation from then on would do, by correlation ID
}

// TestSoak is the crash matrix at random, with two of each service, for as long as -soak says.
func TestSoak(t *testing.T) {
	s := &soak{world: newWorld(t), seed: rand.Uint64(), strict: map[string]time.Time{}}
	t.Logf("seed %d", s.seed)
	pairs := [][2]*service{gateways(s.world), adapters(s.world), correlators(s.world)}
	s.begin()
	s.backend.answers(s.misbehave())

	ctx, stop := context.WithTimeout(t.Context(), *soakFor)
	defer stop()
	for i, moments := range [][]moment{
		{before("score.v1.calculation."), after("score.v1.calculation."), before("_INBOX.")},
		{
			received("score.v1.calculation."), before("$JS.API.DIRECT.GET.KV_scores"), before("score.v1.completion."), after("score.v1.completion."),
			before("$JS.ACK.CALCULATIONS"), after("$JS.ACK.CALCULATIONS"), after("score.v1.claim."), before("score.v1.timer."), after("score.v1.timer."),
		},
		{
			received("score.v1.completion."), before("$KV.scores."), after("$KV.scores."), before("score.v1.commit."), after("score.v1.commit."),
			before("$JS.API.STREAM.MSG.DELETE.CALCULATIONS"), after("$JS.API.STREAM.MSG.DELETE.CALCULATIONS"),
			before("$JS.API.STREAM.PURGE.TIMERS"), before("$JS.ACK.COMPLETIONS"), after("$JS.ACK.COMPLETIONS"),
			received("score.v1.timeout."), before("score.v1.completion."), after("score.v1.completion."), before("score.v1.dead."),
		},
	} {
		s.breaks(ctx, i, pairs[i][:], moments, time.Second)
	}
	s.breaks(ctx, len(pairs), []*service{s.nats}, nil, 5*time.Second)
	var clients sync.WaitGroup
	for i := range 12 {
		clients.Go(func() { s.asks(ctx, rand.New(rand.NewPCG(s.seed, uint64(100+i)))) })
	}
	clients.Wait()
	s.breakers.Wait() // all run again

	results, found := s.check(t, s.most)
	for id, asked := range s.strict {
		result := results.results[id]
		if result.GetStatus() == scorev1.Status_READY && (s.backend.author(result.Score) != id || s.backend.first(id).Before(asked)) {
			found.wrong++
			t.Errorf("%s was promised to somebody who wanted a score from later on", id)
		}
	}
	t.Logf("%d faults injected, %d requests, %d answered, %d promised, %d results, %d backend calls of which %d needless",
		s.faults.Load(), s.requests.Load(), s.answered.Load(), len(s.promises()), len(results.results), s.backend.all(), found.needless)
	t.Logf("%d lost, %d doubled, %d otherwise wrong", found.lost, found.doubled, found.wrong)
}

// most is how often the backend may have been called: a crash costs a call, but never where the policy forbids it.
func (s *soak) most(result *scorev1.Answer) int {
	if result.Product == fraud {
		return 1
	}
	return 1 + int(s.faults.Load())
}

// breaks kills one of the services now and again, at one of the moments or at no particular one, and starts it again.
func (s *soak) breaks(ctx context.Context, n int, victims []*service, moments []moment, every time.Duration) {
	r := rand.New(rand.NewPCG(s.seed, uint64(n)))
	s.breakers.Go(func() {
		for pause(ctx, r, 2*every) {
			victim := victims[r.IntN(len(victims))]
			if i := r.IntN(len(moments) + 1); i < len(moments) {
				struck := victim.crashAt(moments[i], victim)
				select {
				case <-struck:
				case <-time.After(time.Second): // it does nothing like that at present
					victim.proxy.arm(nil)
				}
			}
			victim.kill()
			s.faults.Add(1)
			pause(ctx, r, time.Second)
			if p, err := victim.start(); err != nil {
				s.t.Error(err)
			} else if err := p.awaitReady(); err != nil {
				s.t.Error(err)
			}
		}
	})
}

// pause lets up to most pass; false when ctx ended.
func pause(ctx context.Context, r *rand.Rand, most time.Duration) bool {
	select {
	case <-time.After(time.Duration(r.Int64N(int64(most)))):
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}
