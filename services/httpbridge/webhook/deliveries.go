package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

// deliveries is the bucket of deliveries, and the hints that lead to them.
type deliveries struct {
	bucket
	js     jetstream.JetStream
	stream jetstream.Stream // that the bucket is
}

func deliveryKey(endpoint string, id correlation.ID) string { return endpoint + "." + id.String() }

// get is a delivery and its revision; errNone when there is none.
func (b deliveries) get(ctx context.Context, endpoint string, id correlation.ID) (*delivery, uint64, error) {
	data, revision, err := b.bucket.get(ctx, deliveryKey(endpoint, id))
	if err != nil {
		return nil, 0, err
	}
	d, err := readDelivery(data)
	return d, revision, err
}

// put stores a delivery where its revision is the one given; false when it is another.
func (b deliveries) put(ctx context.Context, endpoint string, id correlation.ID, d *delivery, revision uint64) (bool, error) {
	data, err := json.Marshal(d)
	if err != nil {
		return false, err
	}
	return b.bucket.put(ctx, deliveryKey(endpoint, id), data, revision)
}

// update changes a delivery, and stores it when change says so. It is repeated when somebody else has changed it meanwhile.
func (b deliveries) update(ctx context.Context, endpoint string, id correlation.ID, change func(*delivery) bool) (*delivery, error) {
	for {
		d, revision, err := b.get(ctx, endpoint, id)
		if err != nil || !change(d) {
			return d, err
		}
		if ok, err := b.put(ctx, endpoint, id, d, revision); err != nil || ok {
			return d, err
		}
	}
}

// hint has a delivery looked at now.
func (b deliveries) hint(ctx context.Context, endpoint string, id correlation.ID) error {
	if _, err := bus.Publish(ctx, b.js.Conn(), nats.NewMsg(subject.WebhookDue(endpoint, id))); err != nil {
		return fmt.Errorf("hint at a delivery of %s: %w", id, err)
	}
	return nil
}

// remind has a delivery looked at later, instead of any time said before.
func (b deliveries) remind(ctx context.Context, endpoint string, id correlation.ID, at time.Time) error {
	msg := nats.NewMsg(subject.WebhookLater(endpoint, id))
	if _, err := bus.Publish(ctx, b.js.Conn(), msg, bus.At(at), bus.To(subject.WebhookDue(endpoint, id))); err != nil {
		return fmt.Errorf("remind of a delivery of %s: %w", id, err)
	}
	return nil
}

// stored is a delivery as it stands in the bucket.
type stored struct {
	*delivery
	of       correlation.ID
	revision uint64
}

// after is the delivery to an endpoint that changed next after a revision; errNone when there is none.
func (b deliveries) after(ctx context.Context, endpoint string, revision uint64) (*stored, error) {
	var found *stored
	err := persist(ctx, func(try context.Context) error {
		for {
			msg, err := b.stream.GetMsg(try, revision+1, jetstream.WithGetMsgSubject(subject.WebhookDeliveriesTo(endpoint)))
			if errors.Is(err, jetstream.ErrMsgNotFound) {
				found = nil
				return nil
			}
			if err != nil {
				return err
			}
			revision = msg.Sequence
			_, id, ok := subject.ParseWebhook(msg.Subject)
			if d, err := readDelivery(msg.Data); ok && err == nil { // no other is ours
				found = &stored{d, id, msg.Sequence}
				return nil
			}
		}
	})
	if err == nil && found == nil {
		err = errNone
	}
	return found, err
}

// last is the revision of the last change of any delivery.
func (b deliveries) last(ctx context.Context) (revision uint64, err error) {
	err = persist(ctx, func(try context.Context) error {
		info, err := b.stream.Info(try)
		if err == nil {
			revision = info.State.LastSeq
		}
		return err
	})
	return revision, err
}
