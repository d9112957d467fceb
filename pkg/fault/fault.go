// Package fault is the closed set of errors that scoreflow tells its users, the same on every interface.
package fault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Error is an error that may be told to a user.
type Error struct {
	Code         scorev1.Code
	Message      string
	Field        string        // the field that is wrong
	RetryAfter   time.Duration // when to come back; 0 = not said
	CalculatedAt time.Time     // of a score that is no longer valid
}

// New makes an error.
func New(code scorev1.Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid makes an INVALID_ARGUMENT that names the field.
func Invalid(field, format string, args ...any) *Error {
	return &Error{Code: scorev1.Code_INVALID_ARGUMENT, Field: field, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string {
	s := e.Code.String() + ": "
	if e.Field != "" {
		s += e.Field + ": "
	}
	return s + e.Message
}

// Retryable says whether the same request may succeed later.
func (e *Error) Retryable() bool { return table[e.Code].retryable }

// Status is the number of the code: its HTTP status, and the Nats-Service-Error-Code.
func (e *Error) Status() int { return Status(e.Code) }

// Proto is the body of the error reply.
func (e *Error) Proto() *scorev1.Error {
	p := &scorev1.Error{Code: e.Code, Message: e.Message, Field: e.Field, Retryable: e.Retryable()}
	if e.RetryAfter > 0 {
		p.RetryAfter = durationpb.New(e.RetryAfter)
	}
	if !e.CalculatedAt.IsZero() {
		p.CalculatedAt = timestamppb.New(e.CalculatedAt)
	}
	return p
}

// FromProto is the error that a reply's body tells.
func FromProto(p *scorev1.Error) *Error {
	e := &Error{Code: p.GetCode(), Message: p.GetMessage(), Field: p.GetField(), RetryAfter: p.GetRetryAfter().AsDuration()}
	if p.CalculatedAt != nil {
		e.CalculatedAt = p.CalculatedAt.AsTime()
	}
	return e
}

// From is the error to tell a user for err: itself where it is, or wraps, an Error; UNAVAILABLE for a context that ended while a store
// was asked; else INTERNAL, without the text, which is for the log.
func From(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return New(scorev1.Code_UNAVAILABLE, "the message broker does not answer")
	}
	return New(scorev1.Code_INTERNAL, "internal error")
}

// Status is the number of a code.
func Status(c scorev1.Code) int {
	if row, ok := table[c]; ok {
		return row.status
	}
	return 500
}

// Retryable says of a code whether the same request may succeed later.
func Retryable(c scorev1.Code) bool { return table[c].retryable }

var table = map[scorev1.Code]struct {
	status    int
	retryable bool
}{
	scorev1.Code_INVALID_ARGUMENT:    {400, false},
	scorev1.Code_UNAUTHENTICATED:     {401, false},
	scorev1.Code_PERMISSION_DENIED:   {403, false},
	scorev1.Code_NOT_FOUND:           {404, false},
	scorev1.Code_CONFLICT:            {409, false},
	scorev1.Code_GONE:                {410, false},
	scorev1.Code_BACKEND_DECLINED:    {422, false},
	scorev1.Code_OVERLOADED:          {429, true},
	scorev1.Code_REVOKED:             {451, false},
	scorev1.Code_INTERNAL:            {500, false},
	scorev1.Code_UNKNOWN_OUTCOME:     {500, false},
	scorev1.Code_BACKEND_UNAVAILABLE: {502, true},
	scorev1.Code_UNAVAILABLE:         {503, true},
	scorev1.Code_DEADLINE_EXCEEDED:   {504, true},
	scorev1.Code_NOT_CACHED:          {504, false},
}
