package demo

import (
	"context"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const (
	slowFactor = 10
	lateness   = time.Second // behind the deadline
	garbage    = "\x00\x01 this is not a report"
)

// calculation is what one call, or several with the same correlation ID, brought about.
type calculation struct {
	id    string
	entry *entry
	how   behaviour
	score *scorev1.Score
	ready time.Time // when it is told
}

// begin begins a calculation, or joins one that began earlier: what comes of it, and when, is the same.
func (s *Service) begin(r request, e *entry, in span) calculation {
	score, takes := calculate(r.Product, r.CustomerID, in)
	takes = time.Duration(float64(takes) * s.pace)
	if r.how.slow {
		takes *= slowFactor
	}
	if r.how.takes > 0 {
		takes = r.how.takes
	}
	if r.how.noHit {
		score = noHit(score)
	}
	ready := s.memory.begin(e, time.Now()).Add(takes)
	score.CalculatedAt = timestamppb.New(ready)
	if late := r.Deadline.Add(lateness); r.how.late && ready.Before(late) {
		ready = late
	}
	s.log.Debug("calculating", zap.String("correlation_id", r.CorrelationID), zap.Time("ready", ready))
	return calculation{id: r.CorrelationID, entry: e, how: r.how, score: score, ready: ready}
}

// wait waits until the calculation is to be told. False means that ctx ended before, as it always does for one that is never told.
func (c calculation) wait(ctx context.Context) bool {
	if c.how.never {
		<-ctx.Done()
		return false
	}
	timer := time.NewTimer(time.Until(c.ready))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// body is what is told.
func (c calculation) body() []byte {
	if c.how.garbage {
		return []byte(garbage)
	}
	return marshal(reportOf(c.score))
}

// notifications are the bodies to notify, one after the other.
func (c calculation) notifications() [][]byte {
	all := [][]byte{c.body()}
	if c.how.twice {
		all = append(all, c.body())
	}
	if c.how.conflict {
		all = append(all, marshal(reportOf(conflicting(c.score))))
	}
	return all
}

func reportOf(s *scorev1.Score) *scorev1.Report {
	return &scorev1.Report{Result: &scorev1.Report_Score{Score: s}}
}

// marshal writes a report of ours, which can always be written: its texts are UTF-8, since they came in JSON.
func marshal(r *scorev1.Report) []byte {
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(r)
	if err != nil {
		panic(err)
	}
	return data
}
