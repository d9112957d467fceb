package client_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/natstest"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// watch begins to watch; it is under way when the first look was answered.
func watch(ctx context.Context, c *client.Client, f *fake) <-chan outcome {
	ended := make(chan outcome, 1)
	go func() {
		answer, err := c.Watch(ctx, id)
		ended <- outcome{answer, err}
	}()
	<-f.fetched
	return ended
}

type outcome struct {
	answer *scorev1.Answer
	err    error
}

func TestWatchIsTold(t *testing.T) {
	for _, answer := range []*scorev1.Answer{ready(), cancelled()} {
		c, nc, f := start(t, natstest.Run(t), pending())
		before := nc.NumSubscriptions()
		ended := watch(t.Context(), c, f)
		if err := f.end(answer, true); err != nil {
			t.Fatal(err)
		}
		wantAnswer(t, ended, answer)
		if leaked := nc.NumSubscriptions() - before; leaked > 1 { // one is that for all replies
			t.Errorf("%d subscriptions are left", leaked)
		}
	}
}

func TestWatchFindsWhatItWasNotTold(t *testing.T) {
	c, _, f := start(t, natstest.Run(t), pending())
	c.LookEvery(time.Millisecond)
	ended := watch(t.Context(), c, f)
	if err := f.end(ready(), false); err != nil {
		t.Fatal(err)
	}
	wantAnswer(t, ended, ready())
}

func TestWatchLooksAfterAReconnect(t *testing.T) {
	server := natstest.Run(t)
	c, _, f := start(t, server, pending())
	c.LookEvery(time.Hour)
	ended := watch(t.Context(), c, f)
	server.Stop()
	if err := f.end(ready(), false); err != nil {
		t.Fatal(err)
	}
	server.Start()
	wantAnswer(t, ended, ready())
}

func TestWatchBeginsWhileNATSIsAway(t *testing.T) {
	server := natstest.Run(t)
	c, _, f := start(t, server, ready())
	server.Stop()
	ended := make(chan outcome, 1)
	go func() {
		answer, err := c.Watch(t.Context(), id)
		ended <- outcome{answer, err}
	}()
	server.Start()
	<-f.fetched
	wantAnswer(t, ended, ready())
}

func TestWatchOutlivesWhatPasses(t *testing.T) {
	server := natstest.Run(t)
	c, _, f := start(t, server, pending())
	f.err = fault.New(scorev1.Code_UNAVAILABLE, "the store does not answer")
	ended := watch(t.Context(), c, f)
	f.mu.Lock()
	f.err = nil
	f.answer = ready()
	f.mu.Unlock()
	wantAnswer(t, ended, ready())
}

func TestWatchEndsWithItsContext(t *testing.T) {
	c, _, f := start(t, natstest.Run(t), pending())
	ctx, cancel := context.WithCancel(t.Context())
	ended := watch(ctx, c, f)
	cancel()
	if got := <-ended; !errors.Is(got.err, context.Canceled) {
		t.Errorf("got %v, %v", got.answer, got.err)
	}
}

func TestWatchEndsWithItsConnection(t *testing.T) {
	c, nc, f := start(t, natstest.Run(t), pending())
	ended := watch(t.Context(), c, f)
	nc.Close()
	wantCode(t, (<-ended).err, scorev1.Code_UNAVAILABLE)
}

func TestWatchOfWhatIsNotKnown(t *testing.T) {
	c, _, f := start(t, natstest.Run(t), nil)
	f.err = fault.New(scorev1.Code_NOT_FOUND, "there is no such calculation")
	_, err := c.Watch(t.Context(), id)
	wantCode(t, err, scorev1.Code_NOT_FOUND)
	for _, bad := range []string{"", "42", "*", ">", "00000000-0000-0000-0000-000000000000"} {
		_, err := c.Watch(t.Context(), bad)
		wantCode(t, err, scorev1.Code_INVALID_ARGUMENT)
	}
}

func wantAnswer(t *testing.T, ended <-chan outcome, want *scorev1.Answer) {
	t.Helper()
	got := <-ended
	if diff := cmp.Diff(want, got.answer, protocmp.Transform()); got.err != nil || diff != "" {
		t.Errorf("%v %s", got.err, diff)
	}
}
