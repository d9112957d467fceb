package httpbridge

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// document is an Answer as it stands in the body of an HTTP answer: the JSON of the contract, without the age, which is a header here. Unlike
// protojson it writes the same answer in the same bytes always, as a strong validator demands.
type document struct {
	CorrelationID   string           `json:"correlation_id"`
	Status          string           `json:"status"`
	State           string           `json:"state,omitempty"`
	ETA             string           `json:"eta,omitempty"`
	Product         string           `json:"product,omitempty"`
	CustomerID      string           `json:"customer_id,omitempty"`
	Cache           string           `json:"cache,omitempty"`
	Score           *scoreDocument   `json:"score,omitempty"`
	Failure         *failureDocument `json:"failure,omitempty"`
	Revision        string           `json:"revision,omitempty"`
	ClientReference string           `json:"client_reference,omitempty"`
	Expired         bool             `json:"expired,omitempty"`
}

type scoreDocument struct {
	Outcome      string              `json:"outcome,omitempty"`
	Value        *int32              `json:"value,omitempty"`
	RangeMin     int32               `json:"range_min,omitempty"`
	RangeMax     int32               `json:"range_max,omitempty"`
	Model        *modelDocument      `json:"model,omitempty"`
	KeyFactors   []keyFactorDocument `json:"key_factors,omitempty"`
	CalculatedAt string              `json:"calculated_at,omitempty"`
	ValidUntil   string              `json:"valid_until,omitempty"`
	Sources      []string            `json:"sources,omitempty"`
}

type modelDocument struct {
	Name    string `json:"name,omitempty"`
	Version string `json:"version,omitempty"`
}

type keyFactorDocument struct {
	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
}

type failureDocument struct {
	Code      string `json:"code,omitempty"`
	Message   string `json:"message,omitempty"`
	Retryable bool   `json:"retryable,omitempty"`
}

func newDocument(a *scorev1.Answer) document {
	d := document{
		CorrelationID: a.CorrelationId, Status: a.Status.String(), Product: a.Product, CustomerID: a.CustomerId,
		ETA: duration(a.Eta), Score: newScoreDocument(a.Score), ClientReference: a.ClientReference, Expired: a.Expired,
	}
	if a.State != 0 {
		d.State = a.State.String()
	}
	if a.Cache != 0 {
		d.Cache = a.Cache.String()
	}
	if a.Revision != 0 {
		d.Revision = strconv.FormatUint(a.Revision, 10)
	}
	if f := a.Failure; f != nil {
		d.Failure = &failureDocument{Message: f.Message, Retryable: f.Retryable}
		if f.Code != 0 {
			d.Failure.Code = f.Code.String()
		}
	}
	return d
}

func newScoreDocument(s *scorev1.Score) *scoreDocument {
	if s == nil {
		return nil
	}
	d := &scoreDocument{
		Value: s.Value, RangeMin: s.RangeMin, RangeMax: s.RangeMax,
		CalculatedAt: timestamp(s.CalculatedAt), ValidUntil: timestamp(s.ValidUntil), Sources: s.Sources,
	}
	if s.Outcome != 0 {
		d.Outcome = s.Outcome.String()
	}
	if s.Model != nil {
		d.Model = &modelDocument{s.Model.Name, s.Model.Version}
	}
	for _, f := range s.KeyFactors {
		d.KeyFactors = append(d.KeyFactors, keyFactorDocument{f.Code, f.Text})
	}
	return d
}

// encode writes v in one line.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // of strings and numbers only
		panic(err)
	}
	return b.Bytes()
}

func timestamp(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Format(time.RFC3339Nano)
}

// duration writes a duration as protojson does: seconds with 0, 3, 6 or 9 digits of a fraction.
func duration(d *durationpb.Duration) string {
	if d == nil {
		return ""
	}
	s := strconv.FormatFloat(d.AsDuration().Seconds(), 'f', 9, 64)
	for range 3 {
		s = strings.TrimSuffix(s, "000")
	}
	return strings.TrimSuffix(s, ".") + "s"
}
