package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/retry"
)

// From says who answers a read.
type From int

// Any replica may be a little behind; the leader is asked where an absence is to be believed.
const (
	Any From = iota
	Leader
)

// errNone says that there is no such message.
var errNone = errors.New("no message")

// query is the request of JetStream's get; package jetstream has it only for its own choice of who answers.
type query struct {
	Seq   uint64 `json:"seq,omitempty"`
	First string `json:"next_by_subj,omitempty"` // from Seq on
	Last  string `json:"last_by_subj,omitempty"`
}

func (q query) body() []byte {
	data, _ := json.Marshal(q) // numbers and text can always be written
	return data
}

// message is a stored message.
type message struct {
	subject  string
	sequence uint64
	time     time.Time
	header   nats.Header
	data     []byte
}

// attempt is how long one try of a request to JetStream may take. A try does not look at the caller's context, which the tries as a whole
// do: a context of its own for each would take as much time as the rest of asking.
const attempt = 2 * time.Second

// get reads one message; errNone when there is none. It is tried for as long as ctx allows.
func (s *Store) get(ctx context.Context, stream string, q query, from From) (*message, error) {
	read := s.direct
	if from == Leader && s.replicas > 1 { // a single replica is the leader
		read = s.leader
	}
	var m *message
	err := retry.Do(ctx, retry.Broker, func() error {
		var err error
		if m, err = read(stream, q); errors.Is(err, errNone) {
			return retry.Stop(err)
		}
		return err
	})
	if err != nil && !errors.Is(err, errNone) {
		return nil, fmt.Errorf("read from %s: %w", stream, err)
	}
	return m, err
}

// direct asks any replica; the message comes as it was stored.
func (s *Store) direct(stream string, q query) (*message, error) {
	to, body := "$JS.API.DIRECT.GET."+stream, []byte(nil)
	if q.Last != "" { // the short form
		to += "." + q.Last
	} else {
		body = q.body()
	}
	reply, err := s.nc.Request(to, body, attempt)
	if err != nil {
		return nil, err
	}
	if status := reply.Header.Get("Status"); status == "404" {
		return nil, errNone
	} else if status != "" {
		return nil, fmt.Errorf("status %s %s", status, reply.Header.Get("Description"))
	}
	sequence, err := strconv.ParseUint(reply.Header.Get(jetstream.SequenceHeader), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("a message without sequence: %w", err)
	}
	stored, err := time.Parse(time.RFC3339Nano, reply.Header.Get(jetstream.TimeStampHeaer))
	if err != nil {
		return nil, fmt.Errorf("a message without time: %w", err)
	}
	return &message{subject: reply.Header.Get(jetstream.SubjectHeader), sequence: sequence, time: stored, header: reply.Header, data: reply.Data}, nil
}

// leader asks the stream's leader.
func (s *Store) leader(stream string, q query) (*message, error) {
	reply, err := s.nc.Request("$JS.API.STREAM.MSG.GET."+stream, q.body(), attempt)
	if err != nil {
		return nil, err
	}
	var r struct {
		Error   *jetstream.APIError `json:"error"`
		Message *struct {
			Subject  string    `json:"subject"`
			Sequence uint64    `json:"seq"`
			Header   []byte    `json:"hdrs"`
			Data     []byte    `json:"data"`
			Time     time.Time `json:"time"`
		} `json:"message"`
	}
	if err := json.Unmarshal(reply.Data, &r); err != nil {
		return nil, fmt.Errorf("an answer that is not JSON: %w", err)
	}
	if r.Error != nil {
		if r.Error.ErrorCode == jetstream.JSErrCodeMessageNotFound {
			return nil, errNone
		}
		return nil, r.Error
	}
	m := &message{subject: r.Message.Subject, sequence: r.Message.Sequence, data: r.Message.Data, time: r.Message.Time}
	if len(r.Message.Header) > 0 {
		if m.header, err = nats.DecodeHeadersMsg(r.Message.Header); err != nil {
			return nil, fmt.Errorf("headers: %w", err)
		}
	}
	return m, nil
}
