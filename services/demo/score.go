package demo

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const (
	rangeMin = 300
	rangeMax = 850
)

// The customers of a hundred who get no score.
const (
	noHits      = 3
	thinFiles   = 3
	frozenFiles = 1
)

// sources are the external applications. The first one always answers, and is never the fastest.
var sources = [...]string{"bureau-north", "bureau-south", "open-banking", "public-registers"}

// silent is how many of a hundred consultations of the others fail or find nothing.
const silent = 15

var adverse = [...]*scorev1.KeyFactor{
	{Code: "A01", Text: "Balances are high compared with the credit limits"},
	{Code: "A02", Text: "The oldest account was opened only recently"},
	{Code: "A03", Text: "Too many accounts were opened in the last twelve months"},
	{Code: "A04", Text: "A payment was more than 30 days late in the last two years"},
	{Code: "A05", Text: "Too many inquiries in the last six months"},
	{Code: "A06", Text: "Too few accounts are paid as agreed"},
	{Code: "A07", Text: "The income on the current account varies much from month to month"},
	{Code: "A08", Text: "A judgment or an insolvency stands in a public register"},
	{Code: "A09", Text: "The instalments are high compared with the income"},
}

var favourable = [...]*scorev1.KeyFactor{
	{Code: "F01", Text: "All accounts were paid as agreed in the last five years"},
	{Code: "F02", Text: "Balances are low compared with the credit limits"},
	{Code: "F03", Text: "The oldest account is more than ten years old"},
	{Code: "F04", Text: "The income is regular and covers the instalments well"},
	{Code: "F05", Text: "No inquiries in the last twelve months"},
}

// span is how long the slowest source takes, at least and at most.
type span struct{ least, most time.Duration }

// The spans of the two routes.
var (
	creditSpan = span{1500 * time.Millisecond, 3500 * time.Millisecond}
	reportSpan = span{4 * time.Second, 8 * time.Second}
)

// calculate is the score of a customer and how long it takes: all sources are consulted at once, so as long as the slowest. A source that
// fails, or knows nothing, is done without. It is a function of its arguments alone.
func calculate(product, customerID string, in span) (*scorev1.Score, time.Duration) {
	hash := sha256.Sum256([]byte(product + "\x00" + customerID))
	rng := rand.New(rand.NewPCG(binary.BigEndian.Uint64(hash[:]), binary.BigEndian.Uint64(hash[8:])))
	answered, takes := consult(rng, in)
	s := &scorev1.Score{Model: &scorev1.Model{Name: "demo-" + product, Version: "1.0"}, Sources: answered}
	switch luck := rng.IntN(100); {
	case luck < noHits:
		s = noHit(s)
	case luck < noHits+thinFiles:
		s.Outcome = scorev1.Outcome_THIN_FILE
		s.KeyFactors = []*scorev1.KeyFactor{{Code: "N02", Text: "Too little is known of the customer"}}
	case luck < noHits+thinFiles+frozenFiles:
		s.Outcome = scorev1.Outcome_FROZEN_FILE
		s.KeyFactors = []*scorev1.KeyFactor{{Code: "N03", Text: "The customer has locked the file"}}
	default:
		value := int32(max(draw(rng), draw(rng)))
		s.Outcome, s.Value, s.RangeMin, s.RangeMax = scorev1.Outcome_SCORED, proto.Int32(value), rangeMin, rangeMax
		s.KeyFactors = reasons(rng, value)
	}
	return s, takes
}

// consult asks all sources at once and returns those that knew the customer, and how long the slowest took.
func consult(rng *rand.Rand, in span) (answered []string, slowest time.Duration) {
	for i, source := range sources {
		least := in.least
		if i > 0 {
			least /= 4
		}
		slowest = max(slowest, least+time.Duration(rng.Int64N(int64(in.most-least))))
		if luck := rng.IntN(100); i == 0 || luck >= silent {
			answered = append(answered, source)
		}
	}
	return answered, slowest
}

// draw is a value of the range, more likely from its middle.
func draw(rng *rand.Rand) int {
	const third = (rangeMax - rangeMin) / 3
	return rangeMin + rng.IntN(third+1) + rng.IntN(third+1) + rng.IntN(third+2)
}

// reasons are four key factors: the lower the value, the more of them are adverse, and these come first.
func reasons(rng *rand.Rand, value int32) []*scorev1.KeyFactor {
	const count = 4
	bad := count - int(value-rangeMin)*count/(rangeMax-rangeMin+1)
	var out []*scorev1.KeyFactor
	for _, i := range rng.Perm(len(adverse))[:bad] {
		out = append(out, adverse[i])
	}
	for _, i := range rng.Perm(len(favourable))[:count-bad] {
		out = append(out, favourable[i])
	}
	return out
}

// noHit is s as it would be if no source knew the customer.
func noHit(s *scorev1.Score) *scorev1.Score {
	return &scorev1.Score{
		Outcome: scorev1.Outcome_NO_HIT, Model: s.Model, Sources: s.Sources,
		KeyFactors: []*scorev1.KeyFactor{{Code: "N01", Text: "No source knows the customer"}},
	}
}

// conflicting is another score of the same customer.
func conflicting(s *scorev1.Score) *scorev1.Score {
	if s.Value == nil {
		return &scorev1.Score{
			Outcome: scorev1.Outcome_SCORED, Value: proto.Int32(rangeMin), RangeMin: rangeMin, RangeMax: rangeMax,
			Model: s.Model, Sources: s.Sources, CalculatedAt: s.CalculatedAt,
		}
	}
	other := proto.CloneOf(s)
	other.Value = proto.Int32(rangeMin + (*s.Value-rangeMin+1)%(rangeMax-rangeMin+1))
	return other
}
