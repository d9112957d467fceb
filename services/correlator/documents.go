package correlator

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/protocol"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// failure is the failure that a completion tells, if it tells one.
func failure(c *scorev1.Completion) *scorev1.Failure {
	switch end := c.End.(type) {
	case *scorev1.Completion_Report:
		return end.Report.GetFailure()
	case *scorev1.Completion_Failed:
		return end.Failed
	case *scorev1.Completion_Cancelled:
		return end.Cancelled
	}
	return nil
}

// score is the score that the completion tells, with its times; nil for none.
func (s *settling) score() *scorev1.Score {
	if s.told == nil {
		s.told = s.timed()
	}
	return s.told
}

// timed gives the score its times. They are counted from when the completion was stored, by the broker's clock, so that every delivery of it
// gives the same score.
func (s *settling) timed() *scorev1.Score {
	report := s.completion.GetReport()
	if report.GetScore() == nil {
		return s.completion.GetReused().GetScore()
	}
	sc := proto.CloneOf(report.GetScore())
	if sc.CalculatedAt == nil || sc.CalculatedAt.AsTime().After(s.received) { // a clock that is ahead
		sc.CalculatedAt = timestamppb.New(s.received)
	}
	switch {
	case report.Validity != nil:
		sc.ValidUntil = timestamppb.New(s.received.Add(report.Validity.AsDuration()))
	case sc.ValidUntil != nil:
	case sc.Outcome == scorev1.Outcome_SCORED:
		sc.ValidUntil = timestamppb.New(s.received.Add(s.policy.Validity))
	default:
		sc.ValidUntil = timestamppb.New(s.received.Add(s.policy.NoScoreValidity))
	}
	return sc
}

// doc is the record that the completion makes: its score; or its failure, beside the score that was there.
func (s *settling) doc() *scorev1.Record {
	if sc := s.score(); sc != nil {
		return &scorev1.Record{Score: sc, CorrelationId: s.id.String(), BeganAt: s.completion.BeganAt}
	}
	doc := &scorev1.Record{}
	if s.record.Doc != nil {
		doc = proto.CloneOf(s.record.Doc)
	}
	doc.Failure, doc.FailedCorrelationId = failure(s.completion), s.id.String()
	memo := s.policy.FailureMemo
	doc.FailedUntil = timestamppb.New(s.received.Add(memo/2 + rand.N(memo+time.Nanosecond))) // not all at once
	return doc
}

// result is the result document.
func (s *settling) result() *scorev1.Answer {
	r := &scorev1.Answer{
		CorrelationId: s.id.String(), Product: s.key.Product, CustomerId: s.calculation.GetCustomerId(), Revision: s.revision,
	}
	switch {
	case s.completion.GetCancelled() != nil:
		r.Status, r.Failure = scorev1.Status_CANCELLED, s.completion.GetCancelled()
	case s.score() != nil:
		r.Status, r.Score = scorev1.Status_READY, s.score()
		if s.completion.GetReused() != nil {
			r.Revision = s.completion.GetSeenRevision()
		}
	default:
		r.Status, r.Failure = scorev1.Status_FAILED, failure(s.completion)
	}
	return r
}

// compare says what the protocol needs of a result that is there. Times do not count: those of a report that comes twice differ.
func (s *settling) compare(result *scorev1.Answer) protocol.Stored {
	if result == nil {
		return protocol.Stored{}
	}
	mine := s.result()
	r := protocol.Stored{
		Found: true,
		Same: result.Status == mine.Status && proto.Equal(timeless(result.Score), timeless(mine.Score)) &&
			proto.Equal(result.Failure, mine.Failure),
		Open: result.Status == scorev1.Status_CANCELLED ||
			result.Status == scorev1.Status_FAILED && protocol.Unanswered(result.Failure.GetCode()),
	}
	s.contradicted = !r.Same
	return r
}

func timeless(sc *scorev1.Score) *scorev1.Score {
	if sc == nil {
		return nil
	}
	sc = proto.CloneOf(sc)
	sc.CalculatedAt, sc.ValidUntil = nil, nil
	return sc
}

// reason is why the completion is buried.
func (s *settling) reason() string {
	switch f := failure(s.completion); {
	case s.contradicted:
		return "the calculation had ended otherwise"
	case s.calculation == nil:
		return "its calculation is unknown"
	case f != nil:
		return "the calculation failed: " + f.Code.String()
	}
	return "the calculation had ended"
}

func (s *settling) letter() *scorev1.Dead {
	return &scorev1.Dead{Reason: s.reason(), Calculation: s.calculation, Completion: s.completion}
}

// digest tells apart what is buried under one correlation ID.
func (s *settling) digest() string {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(s.completion)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
