package httpbridge

import (
	"context"
	"net/http"
	"sync"

	"github.com/nats-io/nats.go"

	"github.com/scoreflow/scoreflow/pkg/trace"
)

// link is the connection to NATS as those see it who wait for a reply: when it breaks, the replies under way are lost, and who waits for
// one is told so at once instead of waiting in vain.
type link struct {
	mu     sync.Mutex
	now    context.Context // ends when the connection breaks; has ended while there is none
	breaks context.CancelFunc
}

// newLink looks after the connection until ctx ends.
func newLink(ctx context.Context, nc *nats.Conn) *link {
	l := &link{}
	l.now, l.breaks = context.WithCancel(ctx)
	status := nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CONNECTED, nats.CLOSED)
	go func() {
		defer nc.RemoveStatusListener(status)
		for {
			select {
			case is := <-status:
				l.mu.Lock()
				l.breaks()
				if is == nats.CONNECTED {
					l.now, l.breaks = context.WithCancel(ctx)
				}
				l.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	}()
	return l
}

// ended is done when the connection that there is now breaks, or when there is none.
func (l *link) ended() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// question is the context of a question that is answered soon, or not at all: it ends when the connection breaks, and not with the request,
// which would cost more than the question. It carries the request's trace context.
func (l *link) question(r *http.Request) context.Context {
	return trace.With(l.ended(), trace.FromHeader(r.Header))
}

// context is the context of what may take as long as the request: it ends with that too.
func (l *link) context(r *http.Request) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(r.Context())
	stop := context.AfterFunc(l.ended(), cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
