package adapter

import (
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/retrypolicy"

	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const (
	firstDelay   = 250 * time.Millisecond // before the second attempt; doubled before each further one
	longestDelay = 30 * time.Second
	jitter       = 0.2 // of the delay, up or down
)

// newRetries is how calls of a backend are repeated: BACKEND_UNAVAILABLE is, up to so many attempts, and nothing else. A backend that says
// when to come back is never called earlier.
func newRetries(attempts int) retrypolicy.RetryPolicy[any] {
	return retrypolicy.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return isUnavailable(err) }).
		WithMaxAttempts(attempts).
		WithBackoff(firstDelay, longestDelay).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[any]) time.Duration {
			if f, ok := e.LastError().(*fault.Error); ok && f.RetryAfter > 0 {
				return time.Duration(float64(f.RetryAfter) / (1 - jitter)) // the jitter may take as much away again
			}
			return -1 // the back-off
		}).
		WithJitterFactor(jitter).
		ReturnLastFailure().
		Build()
}

func isUnavailable(err error) bool {
	f, ok := err.(*fault.Error)
	return ok && f.Code == scorev1.Code_BACKEND_UNAVAILABLE
}
