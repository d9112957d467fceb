package gateway

import (
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/score"
	"github.com/scoreflow/scoreflow/pkg/store"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func record(revision uint64) store.Record {
	id := correlation.NewID(key("42"), time.UnixMilli(int64(revision)))
	return store.Record{
		Record: score.Record{Revision: revision, ID: id},
		Doc: &scorev1.Record{CorrelationId: id.String(), Score: &scorev1.Score{
			Outcome: scorev1.Outcome_NO_HIT, CalculatedAt: timestamppb.Now(), ValidUntil: timestamppb.Now(),
		}},
	}
}

func TestWhatWasReadNeverReplacesWhatTheWatchTold(t *testing.T) {
	c, err := newCache(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	holds := func(revision uint64) {
		t.Helper()
		var got uint64
		if entry, ok := c.get(key("42")); ok {
			got = entry.Revision
		}
		if got != revision {
			t.Fatalf("revision %d is cached, want %d", got, revision)
		}
	}
	c.read(key("42"), record(3))
	holds(3)
	c.changed(key("42"), record(5))
	holds(5)
	c.read(key("42"), record(4)) // a replica that is behind
	holds(5)
	c.changed(key("42"), store.Record{Record: score.Record{Revision: 6}}) // removed
	holds(0)
	c.read(key("42"), record(5))
	holds(0)
	c.read(key("42"), record(7))
	holds(7)
	c.reset()
	holds(0)
}

func TestTheCacheIsBounded(t *testing.T) {
	c, err := newCache(64 << 10)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		c.changed(correlation.Key{Product: "credit", Token: time.Duration(i).String()}, record(uint64(i+1)))
	}
	c.records.CleanUp()
	if n := c.records.EstimatedSize(); n == 0 || n > 64 {
		t.Errorf("%d records are kept in 64 KiB", n)
	}
}
