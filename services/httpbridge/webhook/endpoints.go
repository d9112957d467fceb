package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

var errExists = &fault.Error{Code: scorev1.Code_CONFLICT, Field: "id", Message: "there is an endpoint of this name"}

// endpoints is the bucket of endpoints.
type endpoints struct {
	bucket
	js jetstream.JetStream
}

// get is an endpoint; errNone when there is none.
func (b endpoints) get(ctx context.Context, id string) (*endpoint, uint64, error) {
	if !endpointName.MatchString(id) {
		return nil, 0, errNone
	}
	data, revision, err := b.bucket.get(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	e, err := readEndpoint(data)
	return e, revision, err
}

// list is all endpoints, by name.
func (b endpoints) list(ctx context.Context) ([]*endpoint, error) {
	var all []*endpoint
	err := persist(ctx, func(try context.Context) error {
		all = nil
		watcher, err := b.kv.WatchAll(try, jetstream.IgnoreDeletes())
		if err != nil {
			return err
		}
		defer func() { _ = watcher.Stop() }()
		for {
			select {
			case entry, open := <-watcher.Updates():
				if !open {
					return errors.New("the list broke off")
				}
				if entry == nil { // that was all there is now
					return nil
				}
				if e, err := readEndpoint(entry.Value()); err == nil {
					all = append(all, e)
				}
			case <-try.Done():
				return try.Err()
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("list endpoints: %w", err)
	}
	slices.SortFunc(all, func(a, b *endpoint) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// create stores a new endpoint; errExists when there is one of its name.
func (b endpoints) create(ctx context.Context, e *endpoint) error {
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if ok, err := b.put(ctx, e.ID, data, 0); err != nil || ok {
		return err
	}
	return errExists
}

// update changes an endpoint, and stores it when change says so. It is repeated when somebody else has changed it meanwhile.
func (b endpoints) update(ctx context.Context, id string, change func(*endpoint) bool) (*endpoint, error) {
	for {
		e, revision, err := b.get(ctx, id)
		if err != nil {
			return nil, err
		}
		if !change(e) {
			return e, nil
		}
		data, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		if ok, err := b.put(ctx, id, data, revision); err != nil || ok {
			return e, err
		}
	}
}

// drop removes an endpoint with all its deliveries. Repeated, it finishes what was begun.
func (b endpoints) drop(ctx context.Context, id string) error {
	_, _, err := b.get(ctx, id)
	if err == nil {
		err = b.remove(ctx, id)
	}
	if err != nil && !errors.Is(err, errNone) {
		return err
	}
	if endpointName.MatchString(id) {
		if err := b.clear(ctx, id); err != nil {
			return err
		}
	}
	return err
}

// clear removes the deliveries to an endpoint, and the hints.
func (b endpoints) clear(ctx context.Context, id string) error {
	for _, what := range []struct{ stream, subject string }{
		{subject.Webhooks, subject.WebhooksDue(id)},
		{subject.Webhooks, subject.WebhooksLater(id)},
		{"KV_" + subject.WebhookDeliveries, subject.WebhookDeliveriesTo(id)},
	} {
		err := persist(ctx, func(try context.Context) error {
			stream, err := b.js.Stream(try, what.stream)
			if err != nil {
				return err
			}
			return stream.Purge(try, jetstream.WithPurgeSubject(what.subject))
		})
		if err != nil {
			return fmt.Errorf("clear %s: %w", what.subject, err)
		}
	}
	return nil
}
