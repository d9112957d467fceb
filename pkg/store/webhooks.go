package store

import (
	"context"
	"errors"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/subject"
)

// WebhooksOf are the endpoints that are to be told of a result, asked from the leader: who registers before a result is committed is seen by
// those who look after it is.
func (s *Store) WebhooksOf(ctx context.Context, id correlation.ID) (endpoints []string, err error) {
	const stream = "KV_" + subject.WebhookDeliveries
	for next := uint64(1); ; {
		m, err := s.get(ctx, stream, query{Seq: next, First: subject.WebhookDeliveriesOf(id)}, Leader)
		if errors.Is(err, errNone) {
			return endpoints, nil
		}
		if err != nil {
			return nil, err
		}
		if endpoint, _, ok := subject.ParseWebhook(m.subject); ok {
			endpoints = append(endpoints, endpoint)
		}
		next = m.sequence + 1
	}
}
