package natstest_test

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/natstest"
)

func TestConnectionsAndStoreSurviveRestart(t *testing.T) {
	for name, run := range map[string]func(testing.TB) *natstest.Server{"in process": natstest.Run, "TCP": natstest.RunTCP} {
		t.Run(name, func(t *testing.T) {
			server := run(t)
			back := make(chan struct{}, 1)
			reconnected := nats.ReconnectHandler(func(*nats.Conn) { back <- struct{}{} })
			nc := server.Conn(reconnected)
			js, err := jetstream.New(nc)
			if err != nil {
				t.Fatal(err)
			}
			bucket, err := js.CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "kept"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bucket.PutString(t.Context(), "key", "value"); err != nil {
				t.Fatal(err)
			}

			server.Restart()
			<-back

			if entry, err := bucket.Get(t.Context(), "key"); err != nil || string(entry.Value()) != "value" {
				t.Fatalf("got %v, %v", entry, err)
			}
		})
	}
}

func TestSamePortAfterStopAndStart(t *testing.T) {
	server := natstest.RunTCP(t)
	url := server.URL()
	server.Stop()
	if nc, err := nats.Connect(url); err == nil {
		nc.Close()
		t.Fatal("connected to a stopped server")
	}
	server.Start()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	nc.Close()
}
