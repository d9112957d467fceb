package correlator

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/retry"
	"github.com/scoreflow/scoreflow/pkg/store"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// parked is how long a report of an unknown calculation waits between two attempts to match it.
var parked = retry.Policy{First: time.Second, Most: 30 * time.Second}

// settle takes a completion through a Settler of the protocol. One that cannot be settled now is delivered again.
func (s *Service) settle(ctx context.Context, msg jetstream.Msg) {
	ctx, cancel := context.WithTimeout(ctx, s.patience())
	defer cancel()
	id, completion, err := store.ReadCompletion(msg.Subject(), msg.Data())
	if err != nil {
		s.log.Warn("a completion cannot be read", zap.Error(err))
		if err := s.store.Reject(ctx, msg, err); err != nil {
			s.log.Warn("it cannot be rejected", zap.Error(err))
		}
		return
	}
	log := s.log.WithLazy(zap.Stringer("correlation_id", id))
	meta, err := msg.Metadata()
	if err != nil {
		log.Error("a completion without metadata", zap.Error(err))
		return
	}
	key, _ := correlation.ParseKey(completion.Key) // ReadCompletion has checked it
	settling := &settling{
		service: s, log: log, id: id, key: key, completion: completion, calculation: completion.Calculation,
		received: meta.Timestamp, policy: s.cfg.Products.Policy(key.Product),
	}
	machine := protocol.NewSettler(settling.ending(time.Since(meta.Timestamp) > s.cfg.Park))
	for {
		switch machine.Step() {
		case protocol.Done:
			if err := msg.Ack(); err != nil {
				log.Warn("a settled completion is not acknowledged", zap.Error(err))
			}
			return
		case protocol.Park:
			if err := msg.NakWithDelay(parked.Delay(int(meta.NumDelivered))); err != nil {
				log.Warn("a completion is not parked", zap.Error(err))
			}
			return
		}
		if err := settling.step(ctx, &machine); err != nil {
			log.Warn("a completion is not settled yet", zap.Error(err))
			return // redelivered after AckWait
		}
	}
}

// settling is one delivery of one completion on its way.
type settling struct {
	service     *Service
	log         *zap.Logger
	id          correlation.ID
	key         correlation.Key
	completion  *scorev1.Completion
	calculation *scorev1.Calculation // nil while it is not found
	received    time.Time            // when the completion was stored
	policy      product.Product

	told     *scorev1.Score // see score
	record   store.Record   // as it was read last
	revision uint64         // of the record that holds this score

	contradicted bool // by the result that was there
}

// ending is what the protocol needs of the completion.
func (s *settling) ending(givenUp bool) protocol.Ending {
	c := s.completion
	e := protocol.Ending{
		ID: s.id, Orphan: c.Calculation == nil, GivenUp: givenUp, Seen: c.SeenRevision != nil, SeenAt: c.GetSeenRevision(),
	}
	if c.BeganAt != nil {
		e.BeganAt = c.BeganAt.AsTime()
	}
	switch {
	case c.GetReport().GetScore() != nil:
		e.End = protocol.Scored
	case c.GetCancelled() != nil:
		e.End = protocol.Cancelled
	case c.GetReused() != nil:
		e.End = protocol.Reused
	default:
		e.End, e.Code = protocol.Failed, failure(c).GetCode()
	}
	return e
}

// step does one step of the machine.
func (s *settling) step(ctx context.Context, m *protocol.Settler) error {
	st := s.service.store
	switch m.Step() {
	case protocol.FindCalculation:
		c, err := st.Calculation(ctx, s.completion.Sequence)
		if err != nil {
			return err
		}
		found := c != nil && c.ID == s.id
		if found {
			s.calculation = c.Calculation
		}
		m.Found(found)
	case protocol.ReadRecord:
		record, err := st.Record(ctx, s.key, store.Leader)
		if err != nil {
			return err
		}
		s.record = record
		m.SawRecord(record.Record)
		if record.ID == s.id {
			s.revision = record.Revision
		}
	case protocol.PutRecord:
		revision, stored, err := st.Put(ctx, s.key, s.doc(), m.Revision(), time.Now())
		if err != nil {
			return err
		}
		s.revision = revision
		m.Put(stored)
	case protocol.Commit:
		stored, err := st.Commit(ctx, s.id, s.result())
		if err != nil {
			return err
		}
		m.Committed(stored)
	case protocol.ReadResult:
		result, err := st.Result(ctx, s.id, store.Leader)
		if err == nil && result == nil {
			err = st.RejectResult(ctx, s.id)
		}
		if err != nil {
			return err
		}
		m.SawResult(s.compare(result))
	case protocol.Bury:
		if err := st.Bury(ctx, s.key.Product, s.id, s.digest(), s.letter()); err != nil {
			return err
		}
		s.log.Warn("buried", zap.String("reason", s.reason()))
		m.Buried()
	case protocol.Release:
		return s.release(ctx, m)
	}
	return nil
}

// release removes the calculation, and its timer if it was handed over.
func (s *settling) release(ctx context.Context, m *protocol.Settler) error {
	if s.policy.Backend.Kind == product.HTTPCallback {
		if err := s.service.store.DropTimer(ctx, s.id); err != nil {
			return err
		}
	}
	if err := s.service.store.Release(ctx, s.completion.Sequence); err != nil {
		return err
	}
	m.Released()
	return nil
}
