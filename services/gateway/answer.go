package gateway

import (
	"math"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/store"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// prepared is an answer that many requests get. What they have in common is encoded once; what each has of its own is a second, small Answer
// that is joined to the first: by concatenation, which merges messages in Protocol Buffers, and by the brace in JSON.
type prepared struct {
	*scorev1.Answer
	encoded [2]func() []byte // by wire.Encoding
}

// prepare prepares a. Fields that differ between requests must not be set in it.
func prepare(a *scorev1.Answer) *prepared {
	p := &prepared{Answer: a}
	for _, e := range []wire.Encoding{wire.JSON, wire.Protobuf} {
		p.encoded[e] = sync.OnceValue(func() []byte {
			data, err := e.Marshal(a)
			if err != nil { // only text that is not UTF-8 cannot be encoded, and none gets past a decoder
				panic(err)
			}
			return data
		})
	}
	return p
}

// with is the prepared answer joined with a request's own fields.
func (p *prepared) with(e wire.Encoding, own *scorev1.Answer) ([]byte, error) {
	common := p.encoded[e]()
	rest, err := e.Marshal(own)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(common)+len(rest))
	if e == wire.Protobuf {
		return append(append(out, common...), rest...), nil
	}
	out = append(out, common[:len(common)-1]...)
	out = append(out, ',')
	return append(out, rest[1:]...), nil
}

// size is what it takes in memory, about.
func (p *prepared) size() uint32 {
	if p == nil {
		return 0
	}
	return uint32(min(4*proto.Size(p.Answer), math.MaxUint32/2))
}

// give answers a request with a prepared answer.
func give(req *bus.Request, p *prepared, own *scorev1.Answer) {
	data, err := p.with(req.Encoding, own)
	if err != nil {
		req.Fail(err)
		return
	}
	req.AnswerBytes(data)
}

// ready is what a record answers, without what is a request's own.
func ready(product string, r store.Record) *scorev1.Answer {
	return &scorev1.Answer{
		CorrelationId: r.Doc.CorrelationId, Status: scorev1.Status_READY, Product: product, Score: r.Doc.Score, Revision: r.Revision,
	}
}

// age is how old a score is at now; a clock that is behind the calculation's makes it 0.
func age(calculated, now time.Time) *durationpb.Duration {
	return durationpb.New(max(now.Sub(calculated), 0).Truncate(time.Millisecond))
}
