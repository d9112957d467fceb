package adapter

import (
	"context"
	"errors"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/retry"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// errUnsettled says that a completion which is no answer of the backend waits to be settled.
var errUnsettled = errors.New("the calculation was aborted or timed out, and that is not settled yet")

// complete stores a completion; same says that it was there already. One place is kept for each calculation until the correlator has settled
// what stands there. Of two answers of a backend the first counts, and the other goes to the dead letters. An answer that finds an abort
// or a time-out there waits until that is settled, for it is late, not lost. The want of an answer has nothing to add to what stands there.
func (s *Service) complete(ctx context.Context, id correlation.ID, done *scorev1.Completion) (same bool, err error) {
	err = retry.Do(ctx, retry.Broker, func() error {
		stored, err := s.store.Complete(ctx, id, done)
		if err != nil {
			return retry.Stop(err)
		}
		if stored {
			return nil
		}
		there, err := s.store.Completion(ctx, id)
		switch {
		case err != nil:
			return retry.Stop(err)
		case there == nil: // it was settled meanwhile
			return errUnsettled
		case sameEnd(there, done):
			same = true
			return nil
		case !isAnswer(done):
			return nil
		case !isAnswer(there):
			return errUnsettled
		}
		s.log.Warn("a second, different report was buried", zap.Stringer("correlation_id", id))
		key, _ := correlation.ParseKey(done.Key)
		letter := &scorev1.Dead{Reason: "another report of this calculation came first", Calculation: done.Calculation, Completion: done}
		return s.store.Bury(ctx, key.Product, id, "second", letter)
	})
	return same, err
}

// isAnswer says whether a completion tells what a backend answered.
func isAnswer(c *scorev1.Completion) bool {
	return c.GetReport() != nil || c.GetFailed() != nil && !protocol.Unanswered(c.GetFailed().Code)
}

func sameEnd(a, b *scorev1.Completion) bool {
	return proto.Equal(&scorev1.Completion{End: a.End}, &scorev1.Completion{End: b.End})
}
