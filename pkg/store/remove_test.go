package store

import (
	"context"
	"testing"
	"time"
)

// The server tells in several ways that there is nothing to remove.
func TestWhatIsGoneIsReleasedAgain(t *testing.T) {
	s, _ := open(t)
	var stored []uint64
	for _, customer := range []string{"1", "2", "3", "4"} {
		k := key(t, customer)
		_, c := calculation(k)
		if ok, err := s.Start(t.Context(), k, c); err != nil || !ok {
			t.Fatalf("%v, %v", ok, err)
		}
		first, err := s.First(t.Context(), k, Leader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, first.Sequence)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, sequence := range []uint64{stored[1], stored[0], stored[3], stored[2]} { // between others, first, last, the only one
		for range 2 {
			if err := s.Release(ctx, sequence); err != nil {
				t.Errorf("%d: %v", sequence, err)
			}
		}
	}
	if err := s.Release(ctx, 1<<40); err != nil {
		t.Errorf("one that never was: %v", err)
	}
}
