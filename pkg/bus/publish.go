package bus

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/retry"
)

// What a stream answers to a message that it will not store. Both are decisions: repeating changes nothing.
var (
	ErrConflict = errors.New("another message is there than was expected") // of a compare-and-set
	ErrFull     = errors.New("the subject holds as many messages as it may")
)

// attempt is how long one try may take; a stream without a leader does not answer at all.
const attempt = 2 * time.Second

// Publish stores a message in its stream and returns when that is acknowledged. It is repeated, with the same identity, for as long as ctx
// allows and the answer is none, or says that the stream cannot take it now. A compare-and-set that was repeated may be refused because of
// its own first try: who is refused reads back.
func Publish(ctx context.Context, js jetstream.JetStream, msg *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	var ack *jetstream.PubAck
	err := retry.Do(ctx, retry.Broker, func() error {
		try, cancel := context.WithTimeout(ctx, attempt)
		defer cancel()
		var err error
		ack, err = js.PublishMsg(try, msg, opts...)
		return verdict(err)
	})
	return ack, err
}

// The error codes of JetStream that decide; see server/errors.json of nats-server.
const (
	wrongLastSequence   = 10071
	wrongLastInFlight   = 10164 // another write is on its way: who comes later will know
	storeFailed         = 10077 // for any reason
	duplicateInProgress = 10158
	tooManyRequests     = 10167
	notAvailable        = 10008
	noResources         = 10023
)

// verdict says what an error of a try means: nil, a decision, or something that may pass.
func verdict(err error) error {
	if err == nil {
		return nil
	}
	api, ok := errors.AsType[*jetstream.APIError](err)
	if !ok { // no answer, or nobody there, or not connected
		if errors.Is(err, nats.ErrMaxPayload) || errors.Is(err, nats.ErrBadSubject) || errors.Is(err, nats.ErrConnectionClosed) {
			return retry.Stop(err)
		}
		return err
	}
	switch api.ErrorCode {
	case wrongLastSequence:
		return retry.Stop(ErrConflict)
	case storeFailed:
		if strings.Contains(api.Description, "maximum messages per subject") {
			return retry.Stop(ErrFull)
		}
		return err
	case wrongLastInFlight, duplicateInProgress, tooManyRequests, notAvailable, noResources:
		return err
	}
	if api.Code >= 500 {
		return err
	}
	return retry.Stop(err)
}
