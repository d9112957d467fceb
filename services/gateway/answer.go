package gateway

import (
	"math"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// prepared is an answer that many requests get. What they have in common is encoded once; what each has of its own is joined to
// that: by concatenation, which merges messages in Protocol Buffers, and by the brace in JSON.
type prepared struct {
	*scorev1.Answer
	encoded [2]atomic.Pointer[[]byte] // by wire.Encoding; nil until somebody is answered in it
}

// prepare prepares a. Fields that differ between requests must not be set in it.
func prepare(a *scorev1.Answer) *prepared { return &prepared{Answer: a} }

// common is what the answer says to everyone.
func (p *prepared) common(e wire.Encoding) []byte {
	if data := p.encoded[e].Load(); data != nil {
		return *data
	}
	data, err := e.Marshal(p.Answer)
	if err != nil { // only text that is not UTF-8 cannot be encoded, and none gets past a decoder
		panic(err)
	}
	p.encoded[e].Store(&data) // whoever did so meanwhile has the same
	return data
}

// own is what an answer says to one request alone.
type own struct {
	customer string
	cache    scorev1.Cache
	aged     bool          // there is a score, so there is its age
	age      time.Duration // in whole milliseconds
	expired  bool
	ref      string
}

// appendJSON appends own as members of an Answer in JSON; protojson takes ten times as long.
func (o own) appendJSON(b []byte) []byte {
	b = wire.AppendText(append(b, `"customer_id":`...), o.customer)
	if o.cache != 0 {
		b = wire.AppendText(append(b, `,"cache":`...), o.cache.String())
	}
	if o.aged {
		b = wire.AppendDuration(append(b, `,"age":`...), int64(o.age/time.Second), int32(o.age%time.Second))
	}
	if o.expired {
		b = append(b, `,"expired":true`...)
	}
	if o.ref != "" {
		b = wire.AppendText(append(b, `,"client_reference":`...), o.ref)
	}
	return b
}

// appendProtobuf appends own as fields of an Answer in Protocol Buffers; the numbers are those of the contract.
func (o own) appendProtobuf(b []byte) []byte {
	b = protowire.AppendString(protowire.AppendTag(b, 6, protowire.BytesType), o.customer)
	if o.cache != 0 {
		b = protowire.AppendVarint(protowire.AppendTag(b, 7, protowire.VarintType), uint64(o.cache))
	}
	if o.aged {
		seconds, nanos := uint64(o.age/time.Second), uint64(o.age%time.Second)
		b = protowire.AppendTag(b, 8, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(2+protowire.SizeVarint(seconds)+protowire.SizeVarint(nanos)))
		b = protowire.AppendVarint(protowire.AppendTag(b, 1, protowire.VarintType), seconds)
		b = protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), nanos)
	}
	if o.expired {
		b = protowire.AppendVarint(protowire.AppendTag(b, 13, protowire.VarintType), 1)
	}
	if o.ref != "" {
		b = protowire.AppendString(protowire.AppendTag(b, 12, protowire.BytesType), o.ref)
	}
	return b
}

// with appends the prepared answer, joined with a request's own fields.
func (p *prepared) with(b []byte, e wire.Encoding, o own) []byte {
	common := p.common(e)
	if e == wire.Protobuf {
		return o.appendProtobuf(append(b, common...))
	}
	b = append(append(b, common[:len(common)-1]...), ',')
	return append(o.appendJSON(b), '}')
}

// size is what it takes in memory, about.
func (p *prepared) size() uint32 {
	if p.Answer == nil {
		return 0
	}
	return uint32(min(4*proto.Size(p.Answer), math.MaxUint32/2))
}

// give answers a request with a prepared answer.
func give(req *bus.Request, p *prepared, o own) {
	req.AnswerBytes(p.with(req.Buffer(), req.Encoding, o))
}

// ready is what a record answers, without what is a request's own.
func ready(product string, r store.Record) *scorev1.Answer {
	return &scorev1.Answer{
		CorrelationId: r.Doc.CorrelationId, Status: scorev1.Status_READY, Product: product, Score: r.Doc.Score, Revision: r.Revision,
	}
}

// age is how old a score is at now; a clock that is behind the calculation's makes it 0.
func age(calculated, now time.Time) time.Duration {
	return max(now.Sub(calculated), 0).Truncate(time.Millisecond)
}
