// Package subject is the one home of every name that scoreflow uses on NATS: subjects, streams, consumers, buckets and headers. No
// customer ID ever stands in one.
package subject

import (
	"strings"

	"github.com/scoreflow/scoreflow/pkg/correlation"
)

// The endpoints, answered by request-reply.
const (
	Request = "score.v1.request" // clients ask for a score
	Fetch   = "score.v1.fetch"   // clients fetch a score, or the result of a calculation
	Abort   = "score.v1.abort"   // operators end a calculation
	Notify  = "score.v1.notify"  // backends report what came of a calculation
)

// The streams and the bucket. Package store says how they are set up and why.
const (
	Calculations = "CALCULATIONS" // the calculations not settled yet
	Completions  = "COMPLETIONS"  // what was reported and is not settled yet
	Results      = "RESULTS"      // the final document of each correlation ID
	Timers       = "TIMERS"       // deadlines, and claims of calls that must not be repeated
	DeadLetters  = "DEAD"         // what could not be brought to its intended end
	Scores       = "scores"       // the bucket of scores and their validity
)

// The durable consumers; the adapter has one for each product.
const (
	SettlerConsumer  = "settler"
	TimeoutsConsumer = "timeouts"
	adapterConsumer  = "adapter-"
)

// The headers of ours; those of NATS have their names in nats.go.
const (
	CorrelationID = "Correlation-Id"
	ContentType   = "Content-Type"
)

const (
	calculation = "score.v1.calculation."
	completion  = "score.v1.completion."
	commit      = "score.v1.commit."
	result      = "score.v1.result."
	timer       = "score.v1.timer."
	timeout     = "score.v1.timeout."
	claim       = "score.v1.claim."
	dead        = "score.v1.dead."
	invalid     = "score.v1.invalid."
)

// The wildcards that streams, consumers and subscribers use.
const (
	AllCalculations = calculation + "*.*.*" // product, slot, token
	AllCompletions  = completion + "*"
	AllCommits      = commit + "*"
	AllResults      = result + "*"
	AllTimers       = timer + "*"
	AllTimeouts     = timeout + "*"
	AllClaims       = claim + "*"
	AllDead         = dead + "*.*" // product, correlation ID
	AllInvalid      = invalid + "*"
)

// StoredResult is the target of the RESULTS stream's transform from AllCommits.
const StoredResult = result + "{{wildcard(1)}}"

// AdapterConsumer is the durable consumer of a product's calculations.
func AdapterConsumer(product string) string { return adapterConsumer + product }

// Calculation is where the calculations of a key stand.
func Calculation(key correlation.Key) string { return calculation + key.String() }

// CalculationsOfProduct matches all calculations of a product.
func CalculationsOfProduct(product string) string { return calculation + product + ".*.*" }

// CalculationsOfSlot matches the calculation that a correlation ID of this slot names, and rarely another.
func CalculationsOfSlot(slot string) string { return calculation + "*." + slot + ".*" }

// ParseCalculation is the key of a calculation's subject.
func ParseCalculation(s string) (correlation.Key, bool) {
	rest, ok := strings.CutPrefix(s, calculation)
	if !ok {
		return correlation.Key{}, false
	}
	return correlation.ParseKey(rest)
}

// Completion is where the end of a calculation waits to be settled.
func Completion(id correlation.ID) string { return completion + id.String() }

// Commit is where the correlator publishes a result; it is stored and announced as Result.
func Commit(id correlation.ID) string { return commit + id.String() }

// Result is where the result of a calculation is stored and announced.
func Result(id correlation.ID) string { return result + id.String() }

// Timer is where the deadline of a calculation that was handed over is kept; it fires on Timeout.
func Timer(id correlation.ID) string { return timer + id.String() }

// Timeout is where a passed deadline shows.
func Timeout(id correlation.ID) string { return timeout + id.String() }

// Claim is where an adapter claims a call that must not be repeated.
func Claim(id correlation.ID) string { return claim + id.String() }

// Dead is where a calculation that was given up is kept.
func Dead(product string, id correlation.ID) string { return dead + product + "." + id.String() }

// Invalid is where a message that cannot be decoded is kept, by the stream it was found in.
func Invalid(stream string) string { return invalid + stream }

// Record is where the score of a key is stored in its bucket.
func Record(key correlation.Key) string { return "$KV." + Scores + "." + key.String() }

// ParseRecord is the key of a record's subject.
func ParseRecord(s string) (correlation.Key, bool) {
	rest, ok := strings.CutPrefix(s, "$KV."+Scores+".")
	if !ok {
		return correlation.Key{}, false
	}
	return correlation.ParseKey(rest)
}

// ParseID is the correlation ID that a completion's, result's, timer's, timeout's or claim's subject ends in.
func ParseID(s string) (correlation.ID, bool) {
	id, err := correlation.ParseID(s[strings.LastIndexByte(s, '.')+1:])
	return id, err == nil
}
