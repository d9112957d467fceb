package gateway

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/protocol"
	"github.com/scoreflow/scoreflow/pkg/score"
)

func TestWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ws := newWaiting(3)
		id := correlation.NewID(key("42"), time.Now())
		p := protocol.Promised{ID: id, Started: time.Now()}
		var late []*waiter
		tell := func(w *waiter) { late = append(late, w) }
		soon := func() *waiter { return &waiter{until: time.Now().Add(time.Second)} }
		joins := func(w score.Wishes) (*waiter, bool) {
			j := soon()
			return j, ws.join(j, key("42"), w, time.Now(), tell)
		}

		first := soon()
		first.id = id
		if !ws.add(first) {
			t.Fatal("the first may not wait")
		}
		if _, ok := joins(score.Wishes{}); ok {
			t.Fatal("joined what is not durable yet")
		}
		<-time.After(2 * time.Second)
		if len(late) > 0 {
			t.Fatal("told a correlation ID that is not durable yet")
		}
		ws.arm(first, p, tell)
		synctest.Wait()
		if len(late) != 1 || late[0] != first {
			t.Fatalf("late: %v", late)
		}

		second := soon()
		second.id = id
		ws.add(second)
		ws.arm(second, p, tell)
		ws.open(key("42"), p)
		if _, ok := joins(score.Wishes{Refresh: true}); ok {
			t.Error("a refresh joined what has begun")
		}
		third, ok := joins(score.Wishes{})
		if !ok || third.id != id {
			t.Error("it cannot be joined")
		}
		fourth := soon()
		fourth.id = id
		ws.add(fourth)
		if _, ok := joins(score.Wishes{}); ok {
			t.Error("there is no room")
		}
		if !ws.remove(second) || ws.remove(second) {
			t.Error("taken out twice, or not at all")
		}
		if all := ws.take(id); len(all) != 2 || len(ws.take(id)) != 0 {
			t.Errorf("%d are told", len(all))
		}
		if _, ok := joins(score.Wishes{}); ok || ws.n != 0 || len(ws.runs) != 0 {
			t.Error("something is left over")
		}
		<-time.After(time.Minute)
		if len(late) != 1 {
			t.Error("somebody was told twice")
		}
	})
}
