package e2e

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/subject"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// faults is what was found to be wrong.
type faults struct {
	lost     int // promised and without a result
	doubled  int // results announced more than once
	wrong    int // anything else
	needless int // calls of a backend beyond the first for a correlation ID; within the policy they are no fault
}

// check waits until nothing goes on any more, and then looks whether all promises were kept. most is how often the backend may have been
// called for a result.
func (w *witness) check(t testing.TB, most func(*scorev1.Answer) int) (stores, faults) {
	t.Helper()
	s := w.quiet(t)
	var found faults
	complain := func(count *int, format string, args ...any) {
		t.Helper()
		*count++
		t.Errorf(format, args...)
	}
	for id, customer := range w.promises() {
		switch result := s.results[id]; {
		case result == nil:
			complain(&found.lost, "%s was promised and has no result", id)
		case result.CustomerId != customer:
			complain(&found.wrong, "%s was promised to another customer than its result's", id)
		}
	}
	w.mu.Lock()
	for id, n := range w.announced {
		if n > 1 {
			complain(&found.doubled, "the result of %s was announced %d times", id, n)
		}
	}
	w.mu.Unlock()
	calls, _ := w.backend.called()
	for id, n := range calls {
		result := s.results[id]
		if result == nil {
			complain(&found.wrong, "the backend was called for %s, which has no result", id)
			continue
		}
		found.needless += max(n-1, 0)
		if n > most(result) {
			complain(&found.wrong, "the backend was called %d times for %s", n, id)
		}
	}
	for _, err := range w.disagreements(s) {
		complain(&found.wrong, "%v", err)
	}
	return s, found
}

// disagreements is where results, records and what the backend reported contradict each other.
func (w *witness) disagreements(s stores) (all []error) {
	newest := map[correlation.Key]*scorev1.Answer{} // of the results that brought a score of their own
	for id, result := range s.results {
		if result.Status != scorev1.Status_READY {
			continue
		}
		key := w.names.Key("default", result.Product, result.CustomerId)
		record := s.records[key]
		switch author := w.backend.author(result.Score); {
		case author == "":
			all = append(all, fmt.Errorf("%s is READY with a score that the backend never reported", id))
		case author != id && s.results[author].GetCustomerId() != result.CustomerId:
			all = append(all, fmt.Errorf("%s is READY with the score of %s, which is another customer's", id, author))
		case !record.HasScore() || record.Revision < result.Revision:
			all = append(all, fmt.Errorf("%s is READY with revision %d, and the bucket has %d", id, result.Revision, record.Revision))
		case author == id && (newest[key] == nil || newest[key].Revision < result.Revision):
			newest[key] = result
		}
	}
	for key, result := range newest {
		record := s.records[key]
		switch id := record.Doc.CorrelationId; {
		case id == result.CorrelationId && !proto.Equal(record.Doc.Score, result.Score):
			all = append(all, fmt.Errorf("%s: result and record differ: %v, %v", id, result.Score, record.Doc.Score))
		case id != result.CorrelationId && s.results[id].GetStatus() == scorev1.Status_READY:
			all = append(all, fmt.Errorf("the newest score is that of %s, and the bucket has that of %s", result.CorrelationId, id))
		}
	}
	for key, record := range s.records {
		if record.HasScore() && w.backend.author(record.Doc.Score) != record.Doc.CorrelationId {
			all = append(all, fmt.Errorf("%s holds a score that the backend never reported for its correlation ID", subject.Record(key)))
		}
	}
	for _, pair := range w.backend.overlapping() {
		// When the first was given up, or handed out again, the backend may go on with it after its end.
		if calls, _ := w.backend.called(); calls[pair[0]] == 1 && s.results[pair[0]].GetStatus() == scorev1.Status_READY {
			all = append(all, fmt.Errorf("%s was calculated while %s was, for the same customer", pair[1], pair[0]))
		}
	}
	return all
}
