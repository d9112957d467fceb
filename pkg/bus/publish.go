package bus

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
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

// Option is what a stream is asked to check of a message, or to do with it: a header.
type Option struct{ header, value string }

// ExpectLast has the message stored only if the last one of its subject has that sequence; 0 = if there is none.
func ExpectLast(sequence uint64) Option {
	return Option{jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(sequence, 10)}
}

// Once has the message stored once, however often it is published with that identity within minutes.
func Once(identity string) Option { return Option{jetstream.MsgIDHeader, identity} }

// KeepFor has the message removed after that time, in whole seconds.
func KeepFor(d time.Duration) Option {
	return Option{jetstream.MsgTTLHeader, d.Truncate(time.Second).String()}
}

// At has the message published again at that time, to the subject that To names.
func At(t time.Time) Option {
	return Option{jetstream.ScheduleHeader, "@at " + t.UTC().Format(time.RFC3339Nano)}
}

// To is where a message is published again.
func To(subject string) Option { return Option{jetstream.ScheduleTargetHeader, subject} }

// Publish stores a message in its stream and returns its sequence when that is acknowledged. It is repeated, with the same identity, for as
// long as ctx allows and the answer is none, or says that the stream cannot take it now. A compare-and-set that was repeated may be refused
// because of its own first try: who is refused reads back.
//
// It asks by itself, and not by PublishMsg of package jetstream, which takes half as long again: nothing is done as often.
func Publish(ctx context.Context, nc *nats.Conn, msg *nats.Msg, opts ...Option) (uint64, error) {
	if msg.Header == nil && len(opts) > 0 {
		msg.Header = make(nats.Header, len(opts))
	}
	for _, o := range opts {
		msg.Header[o.header] = []string{o.value}
	}
	var sequence uint64
	err := retry.Do(ctx, retry.Broker, func() error {
		reply, err := nc.RequestMsg(msg, attempt) // it does not look at ctx, which the tries as a whole do
		if err == nil {
			sequence, err = stored(reply.Data)
		}
		return verdict(err)
	})
	return sequence, err
}

// stored reads a stream's answer: {"stream":"S","seq":42}, or an error.
func stored(answer []byte) (uint64, error) {
	if _, rest, ok := bytes.Cut(answer, []byte(`,"seq":`)); ok && bytes.HasPrefix(answer, []byte(`{"stream":`)) {
		digits, _, _ := bytes.Cut(bytes.TrimSuffix(rest, []byte("}")), []byte(","))
		if sequence, err := strconv.ParseUint(string(digits), 10, 64); err == nil && sequence > 0 {
			return sequence, nil
		}
	}
	var a struct {
		Error    *jetstream.APIError `json:"error"`
		Sequence uint64              `json:"seq"`
	}
	switch err := json.Unmarshal(answer, &a); {
	case err != nil:
		return 0, fmt.Errorf("an answer that is not JSON: %w", err)
	case a.Error != nil:
		return 0, a.Error
	case a.Sequence == 0:
		return 0, errors.New("an answer that tells nothing")
	}
	return a.Sequence, nil
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
