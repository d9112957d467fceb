package adapter

import (
	"testing"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
)

func TestAClaimIsAbandonedWhenItIsSeenForLongNotToBeRenewed(t *testing.T) {
	c := claims{seen: map[correlation.ID]sighting{}}
	one, other := correlation.ID{1}, correlation.ID{2}
	now := time.Now()
	old := now.Add(-time.Hour) // by a clock that is behind, or NATS was away
	for _, look := range []struct {
		id       correlation.ID
		renewed  time.Time
		at       time.Duration
		want     bool
		whatever string
	}{
		{one, old, 0, false, "seen for the first time"},
		{one, old, 29 * time.Second, false, "not for long enough"},
		{other, old, 29 * time.Second, false, "another claim"},
		{one, old, 30 * time.Second, true, "for long enough"},
		{one, old.Add(time.Second), 31 * time.Second, false, "its holder lives after all"},
		{one, old.Add(time.Second), 61 * time.Second, true, "no longer"},
	} {
		if got := c.abandoned(look.id, look.renewed, now.Add(look.at), 30*time.Second); got != look.want {
			t.Errorf("%s: %v", look.whatever, got)
		}
	}
	c.abandoned(correlation.ID{3}, old, now.Add(2*time.Hour), 30*time.Second)
	if len(c.seen) != 1 {
		t.Errorf("%d claims are remembered for ever", len(c.seen))
	}
}
