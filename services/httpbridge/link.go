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
	nc     *nats.Conn
	mu     sync.Mutex
	now    context.Context // ends when the connection breaks
	breaks context.CancelFunc
}

// newLink looks after the connection until ctx ends.
func newLink(ctx context.Context, nc *nats.Conn) *link {
	l := &link{nc: nc}
	l.now, l.breaks = context.WithCancel(ctx)
	status := nc.StatusChanged(nats.DISCONNECTED, nats.RECONNECTING, nats.CONNECTED, nats.CLOSED)
	go func() {
		defer nc.RemoveStatusListener(status)
		for {
			select {
			case <-status:
				l.mu.Lock()
				l.breaks()
				l.now, l.breaks = context.WithCancel(ctx)
				l.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	}()
	return l
}

// ended is done when the connection that there is now breaks.
func (l *link) ended() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.now
}

// context is the context of a question asked for a request: it ends with the request, and when the connection breaks, or is broken already.
// It carries the request's trace context.
func (l *link) context(r *http.Request) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(trace.With(r.Context(), trace.FromHeader(r.Header)))
	stop := context.AfterFunc(l.ended(), cancel)
	if !l.nc.IsConnected() {
		cancel()
	}
	return ctx, func() {
		stop()
		cancel()
	}
}
