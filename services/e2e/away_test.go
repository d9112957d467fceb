package e2e

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// NATS is away while requests wait, backends calculate and notify, and clients watch. Everything goes on by itself.
func TestWaitersAndWatchersOutliveAnAbsenceOfNATS(t *testing.T) {
	t.Parallel()
	s := newSuite(t, nil)
	handed := s.handedOver(report, "42")
	watched := make(chan *scorev1.Answer, 1)
	go func() {
		answer, err := s.client.Watch(t.Context(), handed.id())
		if err != nil {
			t.Error(err)
		}
		watched <- answer
	}()
	called, release := s.calling()
	inbox, err := s.nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.nc.PublishRequest(subject.Request, inbox.Subject, []byte(`{"customer_id":"42","wait":"100s"}`)); err != nil {
			t.Fatal(err)
		}
	}
	id := s.awaitCall(called).ID
	s.untilWaiting(2, 1<<20)

	s.server.Stop()
	release() // the answer comes while NATS is away
	notified := make(chan error, 1)
	go func() {
		_, err := s.backend.notify(t.Context(), handed.id(), s.backend.reported(handed.id()))
		notified <- err
	}()
	<-time.After(awhile)
	s.server.Start()

	for range 2 {
		msg, err := inbox.NextMsg(patience)
		if err != nil {
			t.Fatal(err)
		}
		answer := &scorev1.Answer{}
		if err := wire.ReadReply(msg, answer); err != nil || answer.Status != scorev1.Status_READY || answer.CorrelationId != id {
			t.Errorf("%v, %v", answer, err)
		}
	}
	if err := <-notified; err != nil {
		t.Error(err)
	}
	if answer := <-watched; answer.GetStatus() != scorev1.Status_READY || answer.CorrelationId != handed.id() {
		t.Errorf("%v", answer)
	}
	s.check(t, func(*scorev1.Answer) int { return 2 }) // the work may have been handed out again
}
