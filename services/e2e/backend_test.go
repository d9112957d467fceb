package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/scoreflow/scoreflow/pkg/retry"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// call is one call of the backend.
type call struct {
	ID         string            `json:"correlation_id"`
	Product    string            `json:"product"`
	Customer   string            `json:"customer_id"`
	Attributes map[string]string `json:"attributes"`
	Callback   *callback         `json:"callback"`

	nth int // of this correlation ID, from 1
}

type callback struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// verdict is what a backend makes of a call. The zero value is a good report: answered where there is no callback, else notified.
type verdict struct {
	status int               // answered instead of a report
	report *scorev1.Report   // in place of the usual one
	silent bool              // never notifies
	late   time.Duration     // before it notifies
	again  []*scorev1.Report // notified after the first
}

// backend is the applications behind the adapters, on a real socket. It keeps count of all that happens to it.
type backend struct {
	server *httptest.Server
	client *http.Client
	ctx    context.Context // ends with the test
	jobs   sync.WaitGroup  // the notifications

	mu       sync.Mutex
	answer   func(context.Context, call) verdict
	open     int                          // calls under way
	calls    map[string]int               // by correlation ID
	refused  map[string]int               // of them those that were answered with a status, on purpose
	began    map[string]time.Time         // the first of them
	running  map[string]string            // the correlation ID that is called for now, by product and customer
	overlaps [][2]string                  // correlation IDs of one product and customer that were called for at the same time
	reports  map[string]*scorev1.Report   // the usual one of each correlation ID
	spoken   map[string][]*scorev1.Report // all that were, or may have been, reported
	tokens   map[string]callback          // of the last call
	suspects []string                     // anything else that was seen of calls, to look for what must not be there
}

func newBackend(t testing.TB) *backend {
	ctx, cancel := context.WithCancel(context.Background())
	b := &backend{
		ctx: ctx, client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
		answer: func(context.Context, call) verdict { return verdict{} },
		calls:  map[string]int{}, refused: map[string]int{}, began: map[string]time.Time{}, running: map[string]string{}, reports: map[string]*scorev1.Report{},
		spoken: map[string][]*scorev1.Report{}, tokens: map[string]callback{},
	}
	b.server = httptest.NewServer(b)
	t.Cleanup(func() {
		cancel()
		b.server.CloseClientConnections()
		b.server.Close()
		b.jobs.Wait()
		b.client.CloseIdleConnections()
	})
	return b
}

// answers has f decide what becomes of calls from now on. It may take its time; its context ends when the caller is gone.
func (b *backend) answers(f func(context.Context, call) verdict) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answer = f
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body) // all of it, so that the server notices when the caller is gone
	var c call
	if err != nil || json.Unmarshal(body, &c) != nil || r.Header.Get("Idempotency-Key") != `"`+c.ID+`"` || r.Header.Get("Correlation-Id") != c.ID {
		http.Error(w, "not a call", http.StatusBadRequest)
		return
	}
	decide, report := b.begin(r, &c)
	defer b.end(c)
	v := decide(r.Context(), c)
	if v.report == nil {
		v.report = report
	}
	switch {
	case v.status != 0:
		b.mu.Lock()
		b.refused[c.ID]++
		b.mu.Unlock()
		w.WriteHeader(v.status)
	case c.Callback == nil:
		b.speak(c.ID, v.report)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(asJSON(v.report))
	default:
		w.WriteHeader(http.StatusAccepted)
		if !v.silent {
			b.begins(1)
			b.jobs.Go(func() {
				defer b.begins(-1)
				select {
				case <-time.After(v.late):
				case <-b.ctx.Done():
				}
				for _, report := range append([]*scorev1.Report{v.report}, v.again...) {
					_, _ = b.notify(b.ctx, c.ID, report)
				}
			})
		}
	}
}

func (b *backend) begin(r *http.Request, c *call) (func(context.Context, call) verdict, *scorev1.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls[c.ID]++
	c.nth = b.calls[c.ID]
	b.open++
	if c.nth == 1 {
		b.began[c.ID] = time.Now()
	}
	key := c.Product + " " + c.Customer
	if other := b.running[key]; other != "" && other != c.ID {
		b.overlaps = append(b.overlaps, [2]string{other, c.ID})
	}
	b.running[key] = c.ID
	if b.reports[c.ID] == nil {
		b.reports[c.ID] = scored(c.ID)
	}
	if c.Callback != nil {
		b.tokens[c.ID] = *c.Callback
		b.suspects = append(b.suspects, c.Callback.URL)
	}
	b.suspects = append(b.suspects, r.URL.String())
	for name, values := range r.Header {
		b.suspects = append(append(b.suspects, name), values...)
	}
	return b.answer, b.reports[c.ID]
}

func (b *backend) end(c call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	if key := c.Product + " " + c.Customer; b.running[key] == c.ID {
		delete(b.running, key)
	}
}

// begins counts notifications under way as calls under way.
func (b *backend) begins(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open += n
}

func (b *backend) speak(id string, report *scorev1.Report) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spoken[id] = append(b.spoken[id], report)
}

// notify notifies of a calculation that was handed over, until the notification is accepted or refused, and says which.
func (b *backend) notify(ctx context.Context, id string, report *scorev1.Report) (status int, err error) {
	b.speak(id, report)
	to := b.token(id)
	err = retry.Do(ctx, retry.Policy{First: 20 * time.Millisecond, Most: 200 * time.Millisecond}, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(asJSON(report)))
		if err != nil {
			return retry.Stop(err)
		}
		req.Header.Set("Authorization", "Bearer "+to.Token)
		resp, err := b.client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		if status = resp.StatusCode; status >= http.StatusInternalServerError {
			return io.ErrUnexpectedEOF
		}
		return nil
	})
	return status, err
}

// called is how often each correlation ID was called, without the calls that were refused on purpose, and whether a call is under way.
func (b *backend) called() (counts map[string]int, busy bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	counts = maps.Clone(b.calls)
	for id, n := range b.refused {
		counts[id] -= n
	}
	return counts, b.open > 0
}

// overlapping is the pairs of correlation IDs of one product and customer that the backend was called for at the same time.
func (b *backend) overlapping() [][2]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.overlaps)
}

// first is when the backend was first called for a correlation ID.
func (b *backend) first(id string) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.began[id]
}

// all is how many calls there were.
func (b *backend) all() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, calls := range b.calls {
		n += calls
	}
	return n
}

// reported is what the backend usually reports for a correlation ID; nil when it was never called for it.
func (b *backend) reported(id string) *scorev1.Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reports[id]
}

// author is the correlation ID that the backend reported a score for; empty when it never did. Times do not count: they are given by the
// correlator.
func (b *backend) author(score *scorev1.Score) string {
	score = proto.CloneOf(score)
	score.CalculatedAt, score.ValidUntil = nil, nil
	id, _, _ := strings.Cut(score.GetKeyFactors()[0].GetText(), " ")
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.ContainsFunc(b.spoken[id], func(r *scorev1.Report) bool { return proto.Equal(r.GetScore(), score) }) {
		return id
	}
	return ""
}

// token is where, and with what, the backend notifies of a correlation ID.
func (b *backend) token(id string) callback {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens[id]
}

// scored is a report that is like no other with another text.
func scored(text string) *scorev1.Report {
	return &scorev1.Report{Result: &scorev1.Report_Score{Score: &scorev1.Score{
		Outcome: scorev1.Outcome_SCORED, Value: proto.Int32(int32(300 + rand.N(551))), RangeMin: 300, RangeMax: 850,
		Model:      &scorev1.Model{Name: "e2e", Version: "1"},
		KeyFactors: []*scorev1.KeyFactor{{Code: "E2E", Text: text}},
		Sources:    []string{"first", "second"},
	}}}
}

func asJSON(m proto.Message) []byte {
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		panic(err)
	}
	return data
}
