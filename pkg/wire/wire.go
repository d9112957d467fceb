// Package wire is how messages of the contract are written on NATS: proto3 JSON with the original field names, or Protocol Buffers when the
// message says so in its Content-Type. An answer is written as its request was.
package wire

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Encoding is one of the two ways to write a message. The zero value is JSON, which needs no Content-Type.
type Encoding int

// The encodings.
const (
	JSON Encoding = iota
	Protobuf
)

// MaxRequest is the most bytes a request may have.
const MaxRequest = 64 << 10

var contentTypes = [...]string{"application/json", "application/protobuf"}

var (
	marshalJSON   = protojson.MarshalOptions{UseProtoNames: true}
	unmarshalJSON = protojson.UnmarshalOptions{}
)

// ContentType is the media type of the encoding.
func (e Encoding) ContentType() string { return contentTypes[e] }

// Of reads the encoding from a message's headers.
func Of(h nats.Header) (Encoding, error) {
	if len(h) == 0 {
		return JSON, nil
	}
	name, _, _ := strings.Cut(h.Get(subject.ContentType), ";")
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", contentTypes[JSON]:
		return JSON, nil
	case contentTypes[Protobuf]:
		return Protobuf, nil
	}
	return JSON, fault.Invalid(subject.ContentType, "it is neither %s nor %s", contentTypes[JSON], contentTypes[Protobuf])
}

// Unmarshal reads data into m. The error is a *fault.Error that names the field where the decoder does. Unknown fields are refused in
// JSON, where they are mistakes of people, and ignored in Protocol Buffers, where they are newer clients.
func (e Encoding) Unmarshal(data []byte, m proto.Message) error {
	if len(data) > MaxRequest {
		return fault.Invalid("", "the message has %d bytes; at most %d are read", len(data), MaxRequest)
	}
	if e == Protobuf {
		if err := proto.Unmarshal(data, m); err != nil {
			return fault.Invalid("", "the message is not a Protocol Buffers message of type %s", m.ProtoReflect().Descriptor().FullName())
		}
		return nil
	}
	if request, ok := m.(*scorev1.RequestScoreRequest); ok && flat(data, request) {
		return nil
	}
	if err := unmarshalJSON.Unmarshal(data, m); err != nil {
		return invalidJSON(data, err)
	}
	return nil
}

// Marshal writes m.
func (e Encoding) Marshal(m proto.Message) ([]byte, error) {
	if e == Protobuf {
		return proto.Marshal(m)
	}
	if a, ok := m.(*scorev1.Answer); ok {
		if data := answer(a); data != nil {
			return data, nil
		}
	}
	return marshalJSON.Marshal(m)
}

// marshalError writes the body of an error reply. In JSON it always has its four main fields, also where they are empty or false. Text that
// is not UTF-8 cannot be written; then the headers must do.
func (e Encoding) marshalError(m *scorev1.Error) []byte {
	if e == Protobuf {
		data, _ := proto.Marshal(m)
		return data
	}
	data, _ := protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}.Marshal(m)
	return data
}

// Header is the header that says the encoding; none for JSON, so that an answer costs no header.
func (e Encoding) Header() nats.Header {
	if e == JSON {
		return nil
	}
	return nats.Header{subject.ContentType: {e.ContentType()}}
}

// Message is m as a message to a subject.
func (e Encoding) Message(to string, m proto.Message) (*nats.Msg, error) {
	data, err := e.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", m.ProtoReflect().Descriptor().FullName(), err)
	}
	return &nats.Msg{Subject: to, Data: data, Header: e.Header()}, nil
}

// ErrorMessage is the error reply for err: NATS' own error headers, and the error as the body.
func (e Encoding) ErrorMessage(to string, err error) *nats.Msg {
	f := fault.From(err)
	data := e.marshalError(f.Proto())
	h := nats.Header{
		micro.ErrorHeader:     {headerText(f.Error())},
		micro.ErrorCodeHeader: {strconv.Itoa(f.Status())},
	}
	if e != JSON {
		h[subject.ContentType] = []string{e.ContentType()}
	}
	return &nats.Msg{Subject: to, Data: data, Header: h}
}

// ReadReply reads a reply into m, or returns the *fault.Error that it tells.
func ReadReply(msg *nats.Msg, m proto.Message) error {
	e, err := Of(msg.Header)
	if err != nil {
		return err
	}
	if code := msg.Header.Get(micro.ErrorCodeHeader); code != "" {
		var p scorev1.Error
		if e.Unmarshal(msg.Data, &p) != nil || p.Code == scorev1.Code_CODE_UNSPECIFIED {
			return fault.New(scorev1.Code_INTERNAL, "error %s: %s", code, msg.Header.Get(micro.ErrorHeader))
		}
		return fault.FromProto(&p)
	}
	if e == Protobuf {
		return proto.Unmarshal(msg.Data, m)
	}
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(msg.Data, m)
}

// headerText is s as a header can carry it: one line of printable ASCII.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s[:min(len(s), 512)])
}
