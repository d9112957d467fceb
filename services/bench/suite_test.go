package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/scoreflow/scoreflow/pkg/subject"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const (
	longest = 20 * time.Minute // that a request waits, if it waits
	under   = 256              // submissions, or notifications, under way at once
)

// suite is the real processes, their client, and their backend, which notifies only when it is told to.
type suite struct {
	server, gateway, correlator, adapter *process
	nc                                   *nats.Conn
	backend                              *httptest.Server

	asking, notifying inbox
	wait              time.Duration // of the requests
	handed            chan handed
	ended             chan struct{} // one for each that was answered, or told, its end
	failed            chan error
	given             []handed // not notified yet
}

// handed is what the backend was given, as far as it needs it to notify.
type handed struct {
	CorrelationID string `json:"correlation_id"`
	Callback      struct {
		Token string `json:"token"`
	} `json:"callback"`
}

func newSuite(t *testing.T, dir string, wait time.Duration) *suite {
	t.Helper()
	s := &suite{wait: wait, handed: make(chan handed, under), ended: make(chan struct{}, under), failed: make(chan error, 1)}
	s.backend = httptest.NewServer(http.HandlerFunc(s.take))
	t.Cleanup(s.backend.Close)
	var url string
	s.server, url = server(t)
	settings := s.settings(t, url)
	run := func(name string, args ...string) *process {
		cmd := exec.Command(filepath.Join(dir, name), args...)
		cmd.Env = append(os.Environ(), settings...)
		return launch(t, name, cmd)
	}
	s.correlator = run("correlator")
	s.adapter = run("backend-adapter", "--listen=127.0.0.1:0")
	s.gateway = run("gateway", "--max-wait="+longest.String())
	s.nc = connect(t, url)
	s.asking = newInbox(t, s.nc, s.answered)
	s.notifying = newInbox(t, s.nc, func(_ string, msg *nats.Msg) { s.check(wire.ReadReply(msg, &scorev1.NotifyResponse{})) })
	listen(t, s.nc, subject.AllResults, func(*nats.Msg) {
		if s.wait == 0 {
			s.ended <- struct{}{}
		}
	})
	for _, name := range []string{"score-gateway", "score-adapter"} {
		s.ready(t, name)
	}
	s.submit(t, 1)
	s.settle(t)
	return s
}

// settings is how the processes are configured, in their environment.
func (s *suite) settings(t *testing.T, url string) []string {
	t.Helper()
	dir := t.TempDir()
	config, secretFile := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "secret")
	products := fmt.Sprintf("products:\n  credit: {deadline: 2h, backend: {kind: http-callback, url: %q, concurrency: 64}}\n", s.backend.URL)
	if err := errors.Join(os.WriteFile(config, []byte(products), 0o600), os.WriteFile(secretFile, []byte(secret), 0o600)); err != nil {
		t.Fatal(err)
	}
	return []string{"SCOREFLOW_NATS_URL=" + url, "SCOREFLOW_CONFIG=" + config, "SCOREFLOW_SECRET_FILE=" + secretFile, "SCOREFLOW_LOG_LEVEL=warn"}
}

// ready returns when a service answers.
func (s *suite) ready(t *testing.T, name string) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		_, err := s.nc.Request("$SRV.PING."+name, nil, time.Second)
		if err == nil {
			return
		}
		select {
		case <-look.C:
		case <-time.After(time.Minute):
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func (s *suite) processes() []*process {
	return []*process{s.gateway, s.correlator, s.adapter, s.server}
}

// take is the backend: it takes everything, and notifies nobody.
func (s *suite) take(w http.ResponseWriter, r *http.Request) {
	var h handed
	if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
		s.check(err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	s.handed <- h
}

// answered sees the answer to a request.
func (s *suite) answered(_ string, msg *nats.Msg) {
	answer := &scorev1.Answer{}
	err := wire.ReadReply(msg, answer)
	switch {
	case err != nil:
		s.check(err)
	case answer.Status == scorev1.Status_READY && s.wait > 0:
		s.ended <- struct{}{}
	case answer.Status != scorev1.Status_PENDING || s.wait > 0:
		s.check(fmt.Errorf("an answer is %v", answer.Status))
	}
}

func (s *suite) check(err error) {
	if err == nil {
		return
	}
	select {
	case s.failed <- err:
	default: // one is enough
	}
}

// submit returns when n more calculations are pending, all of them handed to the backend.
func (s *suite) submit(t *testing.T, n int) sample {
	t.Helper()
	return s.pump(t, n, func(int) {
		number := submitted.Add(1)
		s.check(s.asking.ask(request(number, s.wait), number))
	}, func() { s.given = append(s.given, next(t, s, s.handed)) })
}

// settle notifies all that are pending, and returns when their ends have been told.
func (s *suite) settle(t *testing.T) sample {
	t.Helper()
	given := s.given
	s.given = nil
	return s.pump(t, len(given), func(i int) {
		msg, err := wire.Protobuf.Message(subject.Notify, &scorev1.NotifyRequest{
			CorrelationId: given[i].CorrelationID, Token: given[i].Callback.Token, Report: report(),
		})
		s.check(errors.Join(err, s.notifying.ask(msg, int64(i))))
	}, func() { next(t, s, s.ended) })
}

// pump sends n and takes in as many, with no more than so many under way.
func (s *suite) pump(t *testing.T, n int, send func(i int), take func()) sample {
	t.Helper()
	return metered(t, s.processes(), func() sample {
		begin := time.Now()
		for sent, taken := 0, 0; taken < n; {
			if sent < n && sent-taken < under {
				send(sent)
				sent++
			} else {
				take()
				taken++
			}
		}
		return sample{n: int64(n), rate: float64(n) / time.Since(begin).Seconds()}
	})
}

// next waits for what must come.
func next[T any](t *testing.T, s *suite, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case err := <-s.failed:
		t.Fatal(err)
	case <-time.After(time.Minute):
		t.Fatal("nothing happens any more")
	}
	panic("not reached")
}

// nothingLeft returns when no calculation and no timer is left.
func (s *suite) nothingLeft(t *testing.T) {
	t.Helper()
	js, err := jetstream.New(s.nc)
	if err != nil {
		t.Fatal(err)
	}
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	limit := time.After(time.Minute)
	for _, name := range []string{subject.Calculations, subject.Completions, subject.Timers} {
		for {
			stream, err := js.Stream(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			left := stream.CachedInfo().State.Msgs
			if left == 0 {
				break
			}
			select {
			case <-look.C:
			case <-limit:
				t.Fatalf("%d messages are left in %s", left, name)
			}
		}
	}
}
