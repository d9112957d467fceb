// The HTTP bridge gives applications that speak HTTP all that the suite offers over NATS.
package main

import (
	"context"
	"time"

	"github.com/scoreflow/scoreflow/pkg/daemon"
	"github.com/scoreflow/scoreflow/services/httpbridge"
	"github.com/scoreflow/scoreflow/services/httpbridge/webhook"
)

func main() {
	daemon.Main("http-bridge", "Serves scores over HTTP: asking, fetching, streams of events, and notifications of backends.", &command{})
}

type command struct {
	daemon.Settings
	Listen         string        `help:"Where clients reach it." default:"127.0.0.1:8080"`
	AdminListen    string        `help:"Where operators reach /livez, /readyz and /metrics." default:"127.0.0.1:8081"`
	PublicURL      string        `name:"public-url" help:"How clients reach it, when that is not what they say: https://scores.example.com." placeholder:"URL"`
	DefaultWait    time.Duration `help:"How long a request waits that does not say how long." default:"10s"`
	MaxWait        time.Duration `help:"The longest that a request may wait." default:"60s"`
	MaxConnections int           `help:"Connections at once; those beyond are refused." default:"20000"`
	WebhookFile    string        `name:"webhook-endpoints" help:"A YAML file of the endpoints that are always there: a list of id, url, payload and secret." type:"path" placeholder:"FILE"`
	WebhookPorts   []uint16      `help:"Ports that webhook endpoints may have." default:"443,8443"`
	WebhookTimeout time.Duration `help:"How long one delivery of a webhook may take." default:"15s"`
	WebhookLocal   bool          `help:"Let webhook endpoints be http, and in private networks: for development."`
	CustomerURLs   bool          `name:"customer-urls" help:"Serve scores at /v1/customers/{customer_id}/..., which puts customer IDs into the logs of proxies."`
}

func (c *command) Run(ctx context.Context) error {
	webhooks := &webhook.Config{Replicas: c.Replicas, Ports: c.WebhookPorts, AllowHTTP: c.WebhookLocal, AllowPrivate: c.WebhookLocal, Timeout: c.WebhookTimeout}
	if c.WebhookFile != "" {
		var err error
		if webhooks.Endpoints, err = webhook.ReadFile(c.WebhookFile); err != nil {
			return err
		}
	}
	return daemon.Serve(ctx, "http-bridge", c.Settings, httpbridge.Config{
		Listen: c.Listen, AdminListen: c.AdminListen, PublicURL: c.PublicURL, DefaultWait: c.DefaultWait, MaxWait: c.MaxWait,
		MaxConnections: c.MaxConnections, CustomerURLs: c.CustomerURLs, Webhooks: webhooks, Version: daemon.Version(),
	}, httpbridge.New)
}
