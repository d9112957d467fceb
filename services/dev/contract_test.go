package dev_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"github.com/scoreflow/scoreflow/services/dev/devtest"
)

const contract = "../../proto/README.md"

const answerWithin = time.Minute // a sample that waits says how long

var fenced = regexp.MustCompile("(?ms)^```(json|http)([^\n]*)\n(.*?)^```$")

// TestContractSamples sends every sample of the contract to the suite, in their order, and compares what comes back.
func TestContractSamples(t *testing.T) {
	text, err := os.ReadFile(contract)
	if err != nil {
		t.Fatal(err)
	}
	url, backend := devtest.Run(t)
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	s := &samples{T: t, nc: nc, backend: backend, real: map[string]string{}}
	s.results.docs = map[string][]byte{}
	s.results.more = sync.NewCond(&s.results)
	if _, err := nc.Subscribe("score.v1.result.*", s.results.add); err != nil {
		t.Fatal(err)
	}
	for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
		s.play(block[1], strings.Fields(block[2]), block[3])
	}
	if s.played < 20 {
		t.Errorf("only %d samples were found", s.played)
	}
}

// samples is the state between one sample and the next.
type samples struct {
	*testing.T
	nc      *nats.Conn
	backend *devtest.Backend
	results results
	real    map[string]string // IDs and tokens by those of the samples
	reply   *nats.Msg         // to the last request
	played  int
}

// play plays one sample. Its words say what it is: "request SUBJECT", "answer", "error NUMBER", "result" or "call"; HTTP is a notification.
func (s *samples) play(language string, words []string, body string) {
	s.Helper()
	s.played++
	sent := body
	for sample, real := range s.real {
		sent = strings.ReplaceAll(sent, sample, real)
	}
	switch what := strings.Join(append([]string{language}, words...), " "); {
	case language == "http":
		s.post(sent)
	case len(words) == 2 && words[0] == "request":
		var err error
		if s.reply, err = s.nc.Request(words[1], []byte(sent), answerWithin); err != nil {
			s.Fatalf("%s %s: %v", words[1], body, err)
		}
	case len(words) == 1 && words[0] == "answer":
		s.same(body, s.reply.Data)
	case len(words) == 2 && words[0] == "error":
		s.same(body, s.reply.Data)
		if number := s.reply.Header.Get("Nats-Service-Error-Code"); number != words[1] || s.reply.Header.Get("Nats-Service-Error") == "" {
			s.Errorf("the headers are %v, want number %s", s.reply.Header, words[1])
		}
	case len(words) == 1 && words[0] == "result":
		s.same(body, s.results.of(s.member(sent, "correlation_id")))
	case len(words) == 1 && words[0] == "call":
		s.called(body, sent)
	default:
		s.Fatalf("nobody knows what a sample %q is", what)
	}
}

// called compares how a backend was called.
func (s *samples) called(sample, sent string) {
	id := s.member(sent, "correlation_id")
	call := s.backend.Call(id)
	s.same(sample, call.Body)
	want := map[string]string{
		"Content-Type": "application/json", "Correlation-Id": id, "Idempotency-Key": `"` + id + `"`, "Deadline": s.member(string(call.Body), "deadline"),
	}
	for name, value := range want {
		if got := call.Header.Get(name); got != value {
			s.Errorf("header %s is %q, want %q", name, got, value)
		}
	}
	s.real[s.member(sample, "callback", "token")] = call.Token
}

// post sends a notification by HTTP to where the backend was told to.
func (s *samples) post(sample string) {
	head, body, _ := strings.Cut(sample, "\n\n")
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\n\n")))
	if err != nil {
		s.Fatal(err)
	}
	id := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:]
	url := s.backend.Call(id).URL
	if !strings.HasSuffix(url, req.URL.Path) {
		s.Errorf("the backend was told %s, not %s", url, req.URL.Path)
	}
	post, err := http.NewRequestWithContext(s.Context(), req.Method, url, strings.NewReader(body))
	if err != nil {
		s.Fatal(err)
	}
	post.Header = req.Header
	resp, err := http.DefaultClient.Do(post)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || s.member(string(data), "correlation_id") != id {
		s.Errorf("answered %s %s, %v", resp.Status, data, err)
	}
}

// volatile is what differs from run to run, and how it looks.
var volatile = map[string]*regexp.Regexp{
	"age":           regexp.MustCompile(`^\d+(\.\d+)?s$`),
	"eta":           regexp.MustCompile(`^\d+(\.\d+)?s$`),
	"calculated_at": regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`),
	"valid_until":   regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`),
	"deadline":      regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$`),
	"revision":      regexp.MustCompile(`^\d+$`),
	"url":           regexp.MustCompile(`^http://127\.0\.0\.1:\d+/v1/completions/[0-9a-f-]{36}$`),
	"token":         regexp.MustCompile(`^[\w-]+\.[\w-]+$`),
}

// same compares a document with its sample.
func (s *samples) same(sample string, got []byte) {
	s.Helper()
	want, have := s.object([]byte(sample)), s.object(got)
	if id, ok := want["correlation_id"].(string); ok && s.real[id] == "" {
		s.real[id], _ = have["correlation_id"].(string)
	}
	if diff := cmp.Diff(s.stable(want), s.stable(have)); diff != "" {
		s.Errorf("%s\n%s", got, diff)
	}
}

// stable is v with what is volatile replaced: by its name where it looks as it should, and IDs of samples by those that they stand for.
func (s *samples) stable(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, member := range v {
			text, isText := member.(string)
			if looks := volatile[name]; isText && looks != nil && looks.MatchString(text) {
				v[name] = name
			} else if real, ok := s.real[text]; ok {
				v[name] = real
			} else {
				v[name] = s.stable(member)
			}
		}
	case []any:
		for i := range v {
			v[i] = s.stable(v[i])
		}
	}
	return v
}

func (s *samples) object(data []byte) (v map[string]any) {
	s.Helper()
	if err := json.Unmarshal(data, &v); err != nil {
		s.Fatalf("%s: %v", data, err)
	}
	return v
}

func (s *samples) member(doc string, path ...string) string {
	s.Helper()
	var v any = s.object([]byte(doc))
	for _, name := range path {
		v = v.(map[string]any)[name]
	}
	return v.(string)
}

// results is what was announced.
type results struct {
	sync.Mutex
	more *sync.Cond
	docs map[string][]byte
}

func (r *results) add(msg *nats.Msg) {
	r.Lock()
	defer r.Unlock()
	r.docs[msg.Subject[len("score.v1.result."):]] = msg.Data
	r.more.Broadcast()
}

// of waits for the result of a calculation.
func (r *results) of(id string) []byte {
	r.Lock()
	defer r.Unlock()
	for r.docs[id] == nil {
		r.more.Wait()
	}
	return r.docs[id]
}
