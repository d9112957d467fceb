package bench

import (
	"encoding/base64"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// customers is how many have a score in the cache.
const customers = 1000

// moderate is a load that leaves the processors idle for most of the time, in requests a second.
const moderate = 3000

// TestCached compares answers from the gateway's cache to a micro service that answers the same requests with the same bytes, whatever
// they say.
func TestCached(t *testing.T) {
	ns, url := server(t)
	all := []*process{ns}
	for _, role := range []string{"correlator", "adapter", "gateway"} {
		all = append(all, start(t, role, urlVariable+"="+url))
	}
	nc := connect(t, url)
	fill(t, nc, customers)
	rows := newComparison("Cached: a request answered from the gateway's cache; floor: a bare micro echo of the same sizes")
	defer rows.end()
	for _, encoding := range []wire.Encoding{wire.JSON, wire.Protobuf} {
		ours := asker(nc, subject.Request, encoding)
		all = append(all, start(t, "echo", echoEnvironment(t, nc, url, encoding)...))
		floor := asker(nc, echoSubject(encoding), encoding)
		for _, load := range []struct {
			name       string
			run        func(do func() error) sample
			rate, tail float64
		}{
			{"64 outstanding", func(do func() error) sample { return closed(t, 64, do) }, 0.85, 0},
			{"1024 outstanding", func(do func() error) sample { return closed(t, 1024, do) }, 0.85, 0},
			{fmt.Sprintf("%d a second", moderate), func(do func() error) sample { return paced(t, moderate, do) }, 0, 1.3},
		} {
			var a, b series
			for range rounds() {
				a = append(a, metered(t, all, func() sample { return load.run(floor) }))
				b = append(b, metered(t, all, func() sample { return load.run(ours) }))
			}
			rows.compare(encoding.ContentType()+", "+load.name, a, b, load.rate, load.tail)
		}
	}
}

// fill has a score calculated for so many customers.
func fill(t *testing.T, nc *nats.Conn, customers int) {
	t.Helper()
	c := client.New(nc)
	for i := range customers {
		for {
			answer, err := c.Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: customer(i), Wait: durationpb.New(20 * time.Second)})
			if f, ok := errors.AsType[*fault.Error](err); ok && f.Retryable() {
				continue
			}
			if err != nil || answer.Status != scorev1.Status_READY {
				t.Fatalf("no score: %v, %v", answer, err)
			}
			break
		}
	}
}

func customer(i int) string { return fmt.Sprintf("customer-%08d", i) }

// asker asks for the scores of the customers in turn, and checks that an answer of the right size comes.
func asker(nc *nats.Conn, to string, e wire.Encoding) func() error {
	requests := make([]*nats.Msg, customers)
	for i := range requests {
		requests[i], _ = e.Message(to, &scorev1.RequestScoreRequest{CustomerId: customer(i), Product: "credit", Wait: durationpb.New(5 * time.Second)})
	}
	var next atomic.Int64
	return func() error {
		answer, err := nc.RequestMsg(requests[next.Add(1)%customers], time.Minute)
		if err != nil {
			return err
		}
		if len(answer.Data) < 100 || answer.Header.Get(micro.ErrorCodeHeader) != "" {
			return fmt.Errorf("not a score: %s", answer.Data)
		}
		return nil
	}
}

// echoEnvironment has the echo answer what the gateway does.
func echoEnvironment(t *testing.T, nc *nats.Conn, url string, e wire.Encoding) []string {
	t.Helper()
	msg, err := e.Message(subject.Request, &scorev1.RequestScoreRequest{CustomerId: customer(0)})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := nc.RequestMsg(msg, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		urlVariable + "=" + url,
		answerVariable + "=" + base64.StdEncoding.EncodeToString(answer.Data),
		typeVariable + "=" + answer.Header.Get(subject.ContentType),
	}
}
