package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/client"
	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/natsd"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// A score that must be calculated first takes longer than this caller waits: it keeps the correlation ID and comes back.
func Example() {
	nc, calculation, stop := connect(pending())
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	c := client.New(nc)
	answer, err := c.Request(ctx, &scorev1.RequestScoreRequest{CustomerId: "42", Wait: durationpb.New(2 * time.Second)})
	if err != nil {
		log.Fatal(err)
	}
	if answer.Status == scorev1.Status_PENDING {
		fmt.Println("it will take about", answer.Eta.AsDuration())
		calculation.finish()
		answer, err = c.Watch(ctx, answer.CorrelationId)
		if err != nil {
			log.Fatal(err)
		}
	}
	switch answer.Status {
	case scorev1.Status_READY:
		fmt.Println("the score is", answer.Score.GetValue())
	default: // FAILED or CANCELLED
		fmt.Println("there is no score:", answer.Failure.GetMessage())
	}
	// Output:
	// it will take about 4s
	// the score is 712
}

func ExampleClient_Request() {
	nc, _, stop := connect(ready())
	defer stop()

	answer, err := client.New(nc).Request(context.Background(), &scorev1.RequestScoreRequest{
		CustomerId: "42",
		Product:    "credit",
		MaxAge:     durationpb.New(24 * time.Hour),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Status, answer.Score.GetValue())
	// Output: READY 712
}

func ExampleClient_Fetch() {
	nc, _, stop := connect(pending())
	defer stop()

	answer, err := client.New(nc).Fetch(context.Background(), &scorev1.FetchScoreRequest{CustomerId: "42"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Status, answer.State)
	// Output: PENDING RUNNING
}

func ExampleClient_Watch() {
	nc, calculation, stop := connect(pending())
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	calculation.finish() // before or after it is watched: the same comes of it
	answer, err := client.New(nc).Watch(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Status, answer.Score.GetValue())
	// Output: READY 712
}

// A backend that was handed a calculation reports its score, with the token that it was handed along.
func ExampleClient_Notify() {
	nc, _, stop := connect(pending())
	defer stop()

	notification := &scorev1.NotifyRequest{
		CorrelationId: id,
		Token:         "secret",
		Report: &scorev1.Report{
			Result: &scorev1.Report_Score{Score: &scorev1.Score{
				Outcome: scorev1.Outcome_SCORED, Value: proto.Int32(640), RangeMin: 300, RangeMax: 850,
			}},
			Validity: durationpb.New(time.Hour),
		},
	}
	if _, err := client.New(nc).Notify(context.Background(), notification); err != nil {
		log.Fatal(err)
	}
	fmt.Println("the report is stored")
	// Output: the report is stored
}

func ExampleClient_Abort() {
	nc, _, stop := connect(pending())
	defer stop()

	answer, err := client.New(nc).Abort(context.Background(), &scorev1.AbortRequest{CorrelationId: id, Reason: "asked for by mistake"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Status)
	// Output: CANCELLED
}

// Errors have a code, and say whether the same call may succeed later.
func Example_errors() {
	nc, _, stop := connect(pending())
	defer stop()

	_, err := client.New(nc).Watch(context.Background(), "42")
	if f, ok := errors.AsType[*fault.Error](err); ok {
		fmt.Println(f.Code, f.Field, f.Retryable())
	}
	// Output: INVALID_ARGUMENT correlation_id false
}

// connect connects to a server that answers like this, in place of
//
//	nats.Connect("nats://127.0.0.1:4222", nats.MaxReconnects(-1))
func connect(answer *scorev1.Answer) (nc *nats.Conn, calculation *fake, stop func()) {
	dir, err := os.MkdirTemp("", "scoreflow")
	if err != nil {
		log.Fatal(err)
	}
	server, err := natsd.Start(natsd.Config{StoreDir: dir, DontListen: true}, zap.NewNop())
	if err != nil {
		log.Fatal(err)
	}
	if nc, err = nats.Connect("", nats.InProcessServer(server)); err != nil {
		log.Fatal(err)
	}
	if calculation, err = serve(context.Background(), nc, answer); err != nil {
		log.Fatal(err)
	}
	return nc, calculation, func() {
		nc.Close()
		server.Shutdown()
		_ = os.RemoveAll(dir)
	}
}

func (f *fake) finish() {
	if err := f.end(ready(), true); err != nil {
		log.Fatal(err)
	}
}
