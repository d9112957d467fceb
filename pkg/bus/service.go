package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// Service is a micro service whose endpoints answer many requests at once. The library calls the handlers of an endpoint one after the
// other, and what it counts of errors and time it counts while they run; so requests that take time are handled in goroutines of their own,
// and their figures stand in the data of each endpoint's stats.
type Service struct {
	micro micro.Service
	nc    *nats.Conn
	log   *zap.Logger
	stats map[string]*stats
	ctx   context.Context // what handlers get

	buffers sync.Pool      // of *[]byte: an answer is a kilobyte, and there are many of them
	under   sync.WaitGroup // the handlers
	mu      sync.Mutex
	stopped bool
}

// Endpoint is one subject of a Service.
type Endpoint struct {
	Name    string
	Subject string
	Limit   int // requests under way in Handle at once; those beyond are refused as OVERLOADED

	// Quick is called first, for one request after the other: it must not wait for anything. False leaves the request to Handle.
	Quick func(*Request) bool
	// Handle answers the request, or sees to it that it is answered. Its context ends with the service's.
	Handle func(context.Context, *Request)
}

// NewService announces a service. ctx is what handlers get.
func NewService(ctx context.Context, nc *nats.Conn, name, version, description string, log *zap.Logger) (*Service, error) {
	s := &Service{nc: nc, log: log, stats: map[string]*stats{}, ctx: ctx}
	svc, err := micro.AddService(nc, micro.Config{
		Name: name, Version: version, Description: description,
		StatsHandler: func(e *micro.Endpoint) any { return s.stats[e.Name].snapshot() },
		ErrorHandler: func(_ micro.Service, err *micro.NATSError) { log.Warn("endpoint reports an error", zap.Error(err)) },
	})
	if err != nil {
		return nil, fmt.Errorf("announce service %s: %w", name, err)
	}
	s.micro = svc
	return s, nil
}

// Serve begins to answer the requests of endpoints; all of them are given at once.
func (s *Service) Serve(endpoints ...Endpoint) error {
	for _, e := range endpoints {
		s.stats[e.Name] = &stats{}
	}
	for _, e := range endpoints {
		if err := s.micro.AddEndpoint(e.Name, s.handler(e), micro.WithEndpointSubject(e.Subject)); err != nil {
			return fmt.Errorf("serve %s: %w", e.Subject, err)
		}
	}
	// From here on requests find the endpoints. If NATS is away just now, the reconnect sees to it.
	_ = s.nc.FlushTimeout(5 * time.Second)
	return nil
}

func (s *Service) handler(e Endpoint) micro.Handler {
	stats := s.stats[e.Name]
	places := make(chan struct{}, e.Limit)
	return micro.HandlerFunc(func(in micro.Request) {
		req := &Request{service: s, stats: stats, now: in, reply: in.Reply(), header: nats.Header(in.Headers()), data: in.Data(), began: time.Now()}
		stats.requests.Add(1)
		stats.open.Add(1)
		var err error
		if req.Encoding, err = wire.Of(req.header); err != nil {
			req.Fail(err)
			return
		}
		if e.Quick != nil && e.Quick(req) {
			return
		}
		select {
		case places <- struct{}{}:
		default:
			req.Fail(&fault.Error{
				Code: scorev1.Code_OVERLOADED, RetryAfter: time.Second,
				Message: fmt.Sprintf("%d requests are under way", e.Limit),
			})
			return
		}
		if !s.enter() {
			<-places
			req.Fail(fault.New(scorev1.Code_UNAVAILABLE, "this instance is being stopped"))
			return
		}
		req.now = nil
		go func() {
			defer s.under.Done()
			defer func() { <-places }()
			e.Handle(s.ctx, req)
		}()
	})
}

// Stop takes no more requests and waits for those under way in handlers. The few that had arrived and were not yet handled are told
// UNAVAILABLE.
func (s *Service) Stop() error {
	err := errors.Join(s.micro.Stop(), s.nc.FlushTimeout(time.Second))
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.under.Wait()
	return err
}

// enter counts one more handler, unless the service was stopped.
func (s *Service) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.under.Add(1)
	}
	return !s.stopped
}

// Request is one request of an endpoint. It is answered exactly once, from any goroutine, by one of its methods.
type Request struct {
	Encoding wire.Encoding

	service *Service
	stats   *stats
	now     micro.Request // while the library's handler runs, in which it takes notice of errors; then nil
	reply   string
	header  nats.Header
	data    []byte
	began   time.Time
	kept    any
}

// Keep keeps what Quick found out for Handle, which gets it from Kept.
func (r *Request) Keep(v any) { r.kept = v }

// Kept is what Quick kept.
func (r *Request) Kept() any { return r.kept }

// Received is when the request was received.
func (r *Request) Received() time.Time { return r.began }

// Header is the request's headers, to be read only.
func (r *Request) Header() nats.Header { return r.header }

// Decode reads the request into m, once: a request that waits for long need not keep its bytes. The error is one to Fail with.
func (r *Request) Decode(m proto.Message) error {
	data := r.data
	r.data = nil
	return r.Encoding.Unmarshal(data, m)
}

// Answer answers with m.
func (r *Request) Answer(m proto.Message) {
	data, err := r.Encoding.Marshal(m)
	if err != nil {
		r.service.log.Error("an answer cannot be written", zap.Error(err))
		r.Fail(err)
		return
	}
	r.AnswerBytes(data)
}

// Buffer is an empty buffer to append an encoded message to, for AnswerBytes.
func (r *Request) Buffer() []byte {
	if b, ok := r.service.buffers.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return nil
}

// headers of answers, by wire.Encoding; they are never changed.
var headers = [...]nats.Header{wire.JSON.Header(), wire.Protobuf.Header()}

// AnswerBytes answers with what is an encoded message already. It may become another request's Buffer.
func (r *Request) AnswerBytes(data []byte) {
	r.send(&nats.Msg{Subject: r.reply, Data: data, Header: headers[r.Encoding]})
	r.service.buffers.Put(&data) // the connection has a copy
	r.stats.answered(time.Since(r.began), "")
}

// Fail answers with an error.
func (r *Request) Fail(err error) {
	f := fault.From(err)
	if f.Code == scorev1.Code_INTERNAL {
		r.service.log.Error("a request failed", zap.Error(err))
	}
	msg := r.Encoding.ErrorMessage(r.reply, f)
	if r.now != nil && r.reply != "" {
		code, text := msg.Header.Get(micro.ErrorCodeHeader), msg.Header.Get(micro.ErrorHeader)
		if err := r.now.Error(code, text, msg.Data, micro.WithHeaders(micro.Headers(r.Encoding.Header()))); err != nil {
			r.service.log.Warn("an answer cannot be sent", zap.Error(err))
		}
	} else {
		r.send(msg)
	}
	r.stats.answered(time.Since(r.began), f.Code.String())
}

func (r *Request) send(msg *nats.Msg) {
	if r.reply == "" { // published, not requested: there is nobody to answer
		return
	}
	if err := r.service.nc.PublishMsg(msg); err != nil {
		r.service.log.Warn("an answer cannot be sent", zap.Error(err))
	}
}

// stats are the true figures of an endpoint.
type stats struct {
	requests, open atomic.Int64
	mu             sync.Mutex
	errors         map[string]int64
	time           time.Duration
	answers        int64
}

func (s *stats) answered(took time.Duration, code string) {
	s.open.Add(-1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers++
	s.time += took
	if code != "" {
		if s.errors == nil {
			s.errors = map[string]int64{}
		}
		s.errors[code]++
	}
}

// snapshot is what `nats micro stats` shows as data.
func (s *stats) snapshot() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	codes := make(map[string]int64, len(s.errors))
	for code, n := range s.errors {
		codes[code] = n
	}
	average := time.Duration(0)
	if s.answers > 0 {
		average = s.time / time.Duration(s.answers)
	}
	return struct {
		Requests int64            `json:"requests"`
		Open     int64            `json:"open"`
		Answers  int64            `json:"answers"`
		Errors   map[string]int64 `json:"errors"`
		Average  time.Duration    `json:"average_answer_time"`
	}{s.requests.Load(), s.open.Load(), s.answers, codes, average}
}
