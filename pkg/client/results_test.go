package client_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	"github.com/scoreflow/scoreflow/pkg/store"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func TestResultsAreFollowedFromAnyPlace(t *testing.T) {
	server := natstest.RunTCP(t)
	nc := server.Conn()
	if _, err := client.New(nc).Results(t.Context()); err == nil {
		t.Fatal("there are no stores yet")
	}
	stores, err := store.Open(t.Context(), nc, store.Config{})
	if err != nil {
		t.Fatal(err)
	}
	results, err := client.New(nc).Results(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if span, err := results.Span(t.Context()); err != nil || span != (client.Span{First: 1, Last: 0}) || results.Kept() != 24*time.Hour {
		t.Fatal(span, err, results.Kept())
	}

	var ids []correlation.ID
	commit := func() {
		id := correlation.NewID(correlation.Key{Product: "credit", Slot: "0a1b2c"}, time.Now())
		ids = append(ids, id)
		answer := &scorev1.Answer{CorrelationId: id.String(), Status: scorev1.Status_READY, CustomerId: fmt.Sprint(len(ids))}
		if stored, err := stores.Commit(t.Context(), id, answer); !stored || err != nil {
			t.Fatal(stored, err)
		}
	}
	for range 3 {
		commit()
	}
	if span, err := results.Span(t.Context()); err != nil || span != (client.Span{First: 1, Last: 3}) {
		t.Fatal(span, err)
	}
	second, err := results.Get(t.Context(), ids[1])
	if err != nil || second.Sequence != 2 || second.ID != ids[1] {
		t.Fatal(second, err)
	}
	if answer, err := second.Answer(); err != nil || answer.CustomerId != "2" {
		t.Fatal(answer, err)
	}
	_, err = results.Get(t.Context(), correlation.NewID(correlation.Key{Product: "credit", Slot: "0a1b2c"}, time.Now()))
	if f, ok := errors.AsType[*fault.Error](err); !ok || f.Code != scorev1.Code_NOT_FOUND {
		t.Fatal(err)
	}

	seen := make(chan client.Result)
	ended := make(chan error, 1)
	go func() {
		ended <- results.Follow(t.Context(), 1, func(r client.Result) bool {
			seen <- r
			return r.Sequence < 5
		})
	}()
	expect := func(sequence uint64) {
		t.Helper()
		if r := <-seen; r.Sequence != sequence || r.ID != ids[sequence-1] {
			t.Fatalf("got %d, want %d", r.Sequence, sequence)
		}
	}
	expect(2)
	expect(3)
	server.Restart()
	commit()
	expect(4)
	commit()
	expect(5)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
