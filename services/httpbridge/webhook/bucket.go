package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/retry"
)

// errNone says that there is no such document.
var errNone = errors.New("no such document")

// attemptTime is how long one try to reach the broker may take; it is repeated for as long as a context allows.
const attemptTime = 2 * time.Second

// bucket is documents that many bridges change at the same time: whoever writes says which revision it has read.
type bucket struct{ kv jetstream.KeyValue }

func openBucket(ctx context.Context, js jetstream.JetStream, name string) (bucket, error) {
	kv, err := js.KeyValue(ctx, name)
	if err != nil {
		return bucket{}, fmt.Errorf("bucket %s: %w", name, err)
	}
	return bucket{kv}, nil
}

// get is the document and its revision, from any replica; errNone when there is none.
func (b bucket) get(ctx context.Context, key string) (data []byte, revision uint64, err error) {
	err = persist(ctx, func(try context.Context) error {
		entry, err := b.kv.Get(try, key)
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return retry.Stop(errNone)
		}
		if err == nil {
			data, revision = entry.Value(), entry.Revision()
		}
		return err
	})
	if err != nil && !errors.Is(err, errNone) {
		return nil, 0, fmt.Errorf("read from %s: %w", b.kv.Bucket(), err)
	}
	return data, revision, err
}

// put stores a document where the revision is the one given, 0 for none; false when it is another. A try whose answer was lost is repeated,
// and then finds its own work: that is success.
func (b bucket) put(ctx context.Context, key string, data []byte, revision uint64) (bool, error) {
	err := persist(ctx, func(try context.Context) error {
		var err error
		if revision == 0 {
			_, err = b.kv.Create(try, key, data)
		} else {
			_, err = b.kv.Update(try, key, data, revision)
		}
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
			return retry.Stop(errConflict)
		}
		return err
	})
	if err == nil {
		return true, nil
	}
	if !errors.Is(err, errConflict) {
		return false, fmt.Errorf("write to %s: %w", b.kv.Bucket(), err)
	}
	there, _, err := b.get(ctx, key)
	if errors.Is(err, errNone) {
		return false, nil
	}
	return bytes.Equal(there, data), err
}

// remove removes a document; it is no error when it is gone.
func (b bucket) remove(ctx context.Context, key string) error {
	if err := persist(ctx, func(try context.Context) error { return b.kv.Delete(try, key) }); err != nil {
		return fmt.Errorf("remove from %s: %w", b.kv.Bucket(), err)
	}
	return nil
}

var errConflict = errors.New("another revision is there")

// persist tries until the broker answers, or ctx ends.
func persist(ctx context.Context, do func(context.Context) error) error {
	return retry.Do(ctx, retry.Broker, func() error {
		try, cancel := context.WithTimeout(ctx, attemptTime)
		defer cancel()
		err := do(try)
		if errors.Is(err, nats.ErrConnectionClosed) || errors.Is(err, jetstream.ErrInvalidKey) {
			return retry.Stop(err)
		}
		if api, ok := errors.AsType[*jetstream.APIError](err); ok && api.Code == 400 {
			return retry.Stop(err)
		}
		return err
	})
}
