package subject

import (
	"strings"

	"github.com/scoreflow/scoreflow/pkg/correlation"
)

// The stream, the buckets and the consumers of webhooks. Deliveries are named by endpoint and correlation ID, `<endpoint>.<cid>`.
const (
	Webhooks          = "WEBHOOKS"           // hints that a delivery is to be looked at, now or later
	WebhookEndpoints  = "webhooks"           // the bucket of endpoints
	WebhookDeliveries = "webhook-deliveries" // the bucket of deliveries: who is to be told of what, and what came of it

	WebhookResultsConsumer = "webhooks" // of Results
	webhookConsumer        = "webhook-" // of Webhooks, one for each endpoint
)

const (
	webhookDue     = "score.v1.webhook.due."
	webhookLater   = "score.v1.webhook.later."
	webhookRecords = "$KV." + WebhookDeliveries + "."
)

// The wildcards of the WEBHOOKS stream.
const (
	AllWebhooksDue   = webhookDue + "*.*" // endpoint, correlation ID
	AllWebhooksLater = webhookLater + "*.*"
)

// WebhookConsumer is the durable consumer of an endpoint's deliveries.
func WebhookConsumer(endpoint string) string { return webhookConsumer + endpoint }

// WebhookDue is where a delivery that is to be looked at now shows.
func WebhookDue(endpoint string, id correlation.ID) string {
	return webhookDue + endpoint + "." + id.String()
}

// WebhooksDue matches what is due for an endpoint.
func WebhooksDue(endpoint string) string { return webhookDue + endpoint + ".*" }

// WebhookLater is where it is kept when a delivery is to be looked at again; it fires on WebhookDue.
func WebhookLater(endpoint string, id correlation.ID) string {
	return webhookLater + endpoint + "." + id.String()
}

// WebhooksLater matches what is kept for an endpoint.
func WebhooksLater(endpoint string) string { return webhookLater + endpoint + ".*" }

// WebhookDelivery is where a delivery is stored in its bucket.
func WebhookDelivery(endpoint string, id correlation.ID) string {
	return webhookRecords + endpoint + "." + id.String()
}

// WebhookDeliveriesTo matches the deliveries to an endpoint.
func WebhookDeliveriesTo(endpoint string) string { return webhookRecords + endpoint + ".*" }

// WebhookDeliveriesOf matches the deliveries of a result.
func WebhookDeliveriesOf(id correlation.ID) string { return webhookRecords + "*." + id.String() }

// ParseWebhook is the endpoint and the correlation ID that the subject of a delivery, or of a hint, ends in.
func ParseWebhook(s string) (endpoint string, id correlation.ID, ok bool) {
	parts := strings.Split(s, ".")
	if len(parts) < 2 {
		return "", id, false
	}
	endpoint = parts[len(parts)-2]
	id, ok = ParseID(s)
	return endpoint, id, ok && endpoint != ""
}
