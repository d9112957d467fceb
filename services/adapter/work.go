package adapter

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/product"
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/retry"
	"github.com/scoreflow/scoreflow/pkg/score"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/trace"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// turn is how long a calculation that is not the first of its key waits until it is looked at again.
var turn = retry.Policy{First: 200 * time.Millisecond, Most: 10 * time.Second}

// work takes one delivery of a calculation through a Worker of the protocol. What cannot be done now is delivered again.
func (s *Service) work(ctx context.Context, l line, msg jetstream.Msg) {
	meta, err := msg.Metadata()
	if err != nil {
		s.log.Error("a calculation without metadata", zap.Error(err))
		return
	}
	c, err := store.ReadCalculation(msg.Subject(), meta.Sequence.Stream, msg.Data())
	if err != nil {
		s.log.Warn("a calculation cannot be read", zap.Error(err))
		if err := s.store.Reject(ctx, msg, err); err != nil {
			s.log.Warn("it cannot be rejected", zap.Error(err))
		}
		return
	}
	w := &working{
		Service: s, line: l, calculation: c, msg: msg, claimant: uuid.NewString(), began: time.Now(),
		log: s.log.WithLazy(zap.Stringer("correlation_id", c.ID), zap.String("product", c.Product)),
	}
	machine := protocol.NewWorker(protocol.Work{
		Calculation: c.Core(), Wishes: score.Wishes{MaxAge: c.MaxAge.AsDuration(), MinRemaining: c.MinRemaining.AsDuration()},
		Queued: c.Queued, NeverReuse: c.NeverReuse, Redelivered: meta.NumDelivered > 1,
		AtMostOnce: l.product.Backend.Call == product.AtMostOnce, Callback: l.product.Backend.Kind == product.HTTPCallback,
	})
	stop := w.keepAlive(ctx)
	defer stop()
	for {
		switch machine.Step() {
		case protocol.Ack:
			err = msg.Ack()
		case protocol.PutBack:
			err = msg.NakWithDelay(turn.Delay(int(meta.NumDelivered)))
		default:
			if err = w.step(ctx, &machine); err == nil {
				continue
			}
			err = errors.Join(err, msg.Nak())
		}
		if err != nil && ctx.Err() == nil {
			w.log.Warn("a calculation is left for another delivery", zap.Error(err))
		}
		return
	}
}

// working is one delivery of one calculation on its way.
type working struct {
	*Service
	line
	calculation *store.Calculation
	msg         jetstream.Msg
	claimant    string // in the claim; another delivery is another one, also in this process
	log         *zap.Logger

	record  *store.Record // as it was before the call; nil when nobody looked
	began   time.Time     // this delivery, or its turn: so what comes of a call that is stuck is older than what follows
	report  *scorev1.Report
	failure *scorev1.Failure

	claimed atomic.Bool
}

// step does one step of the machine.
func (w *working) step(ctx context.Context, m *protocol.Worker) error {
	c := w.calculation
	switch m.Step() {
	case protocol.CheckTurn:
		first, err := w.store.First(ctx, c.Key, store.Leader)
		if err != nil {
			return err
		}
		w.began = time.Now()
		m.SawTurn(first.Core())
	case protocol.CheckSettled:
		settled, err := w.store.Settled(ctx, c.ID)
		if err != nil {
			return err
		}
		m.SawSettled(settled)
	case protocol.LookAgain:
		record, err := w.store.Record(ctx, c.Key, store.Leader)
		if err != nil {
			return err
		}
		w.record = &record
		m.SawScore(record.Record, time.Now())
	case protocol.Claim:
		own, renewed, err := w.store.Claim(ctx, c.ID, w.claimant, w.claimKept())
		if err != nil {
			return err
		}
		w.claimed.Store(own)
		m.Claimed(own, !own && !w.claims.abandoned(c.ID, renewed, time.Now(), w.cfg.AckWait))
	case protocol.SetTimer:
		if err := w.store.SetTimer(ctx, c.ID, c.Deadline.AsTime()); err != nil {
			return err
		}
		m.TimerSet()
	case protocol.Call:
		return w.call(ctx, m)
	case protocol.Complete, protocol.CompleteReused, protocol.CompleteUnknown:
		if _, err := w.complete(ctx, c.ID, w.completion(m.Step())); err != nil {
			return err
		}
		m.Completed()
	}
	return nil
}

// call calls the backend. A failure is an end of the calculation too; only an adapter that is stopped leaves it open.
func (w *working) call(ctx context.Context, m *protocol.Worker) error {
	c := w.calculation
	called := time.Now()
	call := Call{
		ID: c.ID, Product: c.Product, CustomerID: c.CustomerId, Attributes: c.Attributes, Deadline: c.Deadline.AsTime(),
		Trace: trace.Parse(c.Traceparent, c.Tracestate),
	}
	if w.product.Backend.Kind == product.HTTPCallback {
		call.Callback = &Callback{URL: w.cfg.CallbackURL + completionsPath + c.ID.String(), Token: w.tokens.issue(c, w.began)}
	}
	report, err := w.backend.Call(ctx, call)
	f, failed := errors.AsType[*fault.Error](err)
	if failed && call.Callback != nil && f.Code == scorev1.Code_UNKNOWN_OUTCOME {
		m.Called(false) // it may have been handed over: the notification or the timer will tell
		return nil
	}
	if failed {
		w.failure = &scorev1.Failure{Code: f.Code, Message: f.Message, Retryable: f.Retryable()}
		w.log.Warn("the backend failed", zap.Stringer("code", f.Code), zap.Duration("took", time.Since(called)))
		m.Called(true)
		return nil
	}
	if err != nil {
		return err
	}
	w.report = report
	m.Called(report != nil)
	return nil
}

// completion is what came of the calculation.
func (w *working) completion(how protocol.WorkerStep) *scorev1.Completion {
	c := w.calculation
	done := &scorev1.Completion{
		CorrelationId: c.CorrelationId, Key: c.Key.String(), Sequence: c.Sequence, Calculation: c.Calculation,
		BeganAt: timestamppb.New(w.began),
	}
	if w.record != nil {
		done.SeenRevision = &w.record.Revision
	}
	switch {
	case how == protocol.CompleteReused:
		done.End = &scorev1.Completion_Reused{Reused: w.record.Doc}
	case how == protocol.CompleteUnknown:
		done.End = &scorev1.Completion_Failed{Failed: &scorev1.Failure{
			Code: scorev1.Code_UNKNOWN_OUTCOME, Message: "the adapter that called the backend is gone, and the call must not be repeated",
		}}
	case w.failure != nil:
		done.End = &scorev1.Completion_Failed{Failed: w.failure}
	default:
		done.End = &scorev1.Completion_Report{Report: w.report}
	}
	return done
}

// keepAlive gives signs of life while the work goes on, so that nobody else takes it over.
func (w *working) keepAlive(ctx context.Context) (stop func()) {
	every := w.cfg.AckWait / 3
	ctx, cancel := context.WithCancel(ctx)
	beats := make(chan *time.Timer, 1) // holds the timer, but while it beats
	beats <- time.AfterFunc(every, func() {
		beat := <-beats
		defer func() { beats <- beat }()
		if ctx.Err() != nil {
			return
		}
		err := w.msg.InProgress()
		if w.claimed.Load() {
			err = errors.Join(err, w.store.RenewClaim(ctx, w.calculation.ID, w.claimant, w.claimKept()))
		}
		if err != nil && ctx.Err() == nil {
			w.log.Warn("no sign of life can be given", zap.Error(err))
		}
		beat.Reset(every)
	})
	return func() {
		cancel()
		beat := <-beats
		beat.Stop()
		beats <- beat
	}
}

// claimKept is how long a claim is kept: past the calculation's deadline, when the result or the lack of it has settled everything.
func (w *working) claimKept() time.Duration {
	return max(time.Until(w.calculation.Deadline.AsTime()), 0).Truncate(time.Second) + time.Hour
}
