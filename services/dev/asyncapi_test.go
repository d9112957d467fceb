package dev_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/santhosh-tekuri/jsonschema/v6"

	documents "github.com/scoreflow/scoreflow/proto"
	"github.com/scoreflow/scoreflow/services/dev/devtest"
)

func TestTheAsyncAPIDocumentIsOne(t *testing.T) {
	packed, err := os.Open("testdata/asyncapi-3.1.0.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	specification, err := jsonschema.UnmarshalJSON(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	if err := compile(t, specification, "").Validate(asyncAPI(t)); err != nil {
		t.Error(err)
	}
}

// TestTheAsyncAPIDocumentIsTrue holds each channel, message, header and example of the AsyncAPI document against the suite: what is served,
// sent and announced is documented, and what is documented is.
func TestTheAsyncAPIDocumentIsTrue(t *testing.T) {
	url, backend := devtest.Run(t)
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	d := &asyncDocument{T: t, nc: nc, doc: asyncAPI(t), seen: map[string][]string{}}
	d.served()

	results := make(chan *nats.Msg, 100)
	if _, err := nc.ChanSubscribe("score.v1.result.*", results); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"waits", "negative wait", "only if cached", "declined"} {
		d.ask("request", "RequestScoreRequest", name)
	}
	pending := func() (id string) {
		return d.ask("request", "RequestScoreRequest", "does not wait")["correlation_id"].(string)
	}
	d.ask("abort", "AbortRequest", "by mistake", "correlation_id", pending())
	d.ask("fetch", "FetchScoreRequest", "by customer ID")
	id := pending()
	d.notify(id, backend.Call(id).Token)
	d.ask("fetch", "FetchScoreRequest", "by correlation ID", "correlation_id", id)
	for range 4 {
		select {
		case msg := <-results:
			d.saw("Result", msg)
			for name := range d.at("components", "schemas", "ResultHeaders", "properties") {
				if msg.Header.Get(name) == "" {
					t.Errorf("a result has no header %s", name)
				}
			}
		case <-time.After(answerWithin):
			t.Fatal("a result is missing")
		}
	}
	for i := 0; !d.notify(id, backend.Call(id).Token) && i < 100; i++ { // until the correlator has not yet settled what is said twice
		id = d.ask("request", "RequestScoreRequest", "does not wait", "customer_id", fmt.Sprint(i))["correlation_id"].(string)
		d.notify(id, backend.Call(id).Token)
	}
	d.examples()
}

// asyncDocument is the AsyncAPI document, and what was seen of it.
type asyncDocument struct {
	*testing.T
	nc   *nats.Conn
	doc  map[string]any
	seen map[string][]string // by message
}

// asyncAPI is the document as JSON has it.
func asyncAPI(t *testing.T) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSON(documents.AsyncAPI)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return doc.(map[string]any)
}

func compile(t *testing.T, doc any, place string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	const name = "document.json"
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile(name + place)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// at is what stands at a path of names.
func (d *asyncDocument) at(path ...string) map[string]any {
	d.Helper()
	v := d.doc
	for _, name := range path {
		next, ok := v[name].(map[string]any)
		if !ok {
			d.Fatalf("there is no %s", strings.Join(path, "."))
		}
		v = next
	}
	return v
}

// served compares the channels that are received with the endpoints that are served.
func (d *asyncDocument) served() {
	d.Helper()
	var documented, found []string
	for name, operation := range d.at("operations") {
		if operation.(map[string]any)["action"] == "receive" {
			documented = append(documented, d.at("channels", name)["address"].(string))
		}
	}
	for _, service := range []string{"score-gateway", "score-adapter"} {
		reply, err := d.nc.Request("$SRV.INFO."+service, nil, answerWithin)
		if err != nil {
			d.Fatal(err)
		}
		var info micro.Info
		if err := json.Unmarshal(reply.Data, &info); err != nil {
			d.Fatal(err)
		}
		for _, endpoint := range info.Endpoints {
			found = append(found, endpoint.Subject)
		}
	}
	slices.Sort(documented)
	slices.Sort(found)
	if !slices.Equal(documented, found) {
		d.Errorf("documented are %v, served are %v", documented, found)
	}
}

// ask sends an example with some members replaced, and takes in the reply.
func (d *asyncDocument) ask(channel, message, example string, replace ...string) map[string]any {
	d.Helper()
	sent := maps.Clone(d.example(message, example)["payload"].(map[string]any))
	for i := 0; i < len(replace); i += 2 {
		sent[replace[i]] = replace[i+1]
	}
	data, err := json.Marshal(sent)
	if err != nil {
		d.Fatal(err)
	}
	msg := nats.NewMsg(d.at("channels", channel)["address"].(string))
	msg.Data = data
	d.saw(message, msg)
	reply, err := d.nc.RequestMsg(msg, answerWithin)
	if err != nil {
		d.Fatal(err)
	}
	told := "Answer"
	switch {
	case reply.Header.Get(micro.ErrorCodeHeader) != "":
		told = "Error"
	case channel == "notify":
		told = "NotifyResponse"
	}
	return d.saw(told, reply)
}

// notify notifies; duplicate says that the same was there already.
func (d *asyncDocument) notify(id, token string) (duplicate bool) {
	d.Helper()
	told := d.ask("notify", "NotifyRequest", "a score", "correlation_id", id, "token", token)
	return told["duplicate"] == true
}

func (d *asyncDocument) example(message, name string) map[string]any {
	d.Helper()
	for _, e := range d.at("components", "messages", message)["examples"].([]any) {
		if e := e.(map[string]any); e["name"] == name {
			return e
		}
	}
	d.Fatalf("%s has no example %q", message, name)
	return nil
}

// saw holds a message against the document, and keeps it.
func (d *asyncDocument) saw(message string, msg *nats.Msg) map[string]any {
	d.Helper()
	payload, err := jsonschema.UnmarshalJSON(bytes.NewReader(msg.Data))
	if err != nil {
		d.Fatalf("%s: %v", msg.Data, err)
	}
	headers := map[string]any{}
	for name := range msg.Header {
		headers[name] = msg.Header.Get(name)
	}
	d.valid(message, "payload", payload)
	d.valid(message, "headers", headers)
	d.seen[message] = append(d.seen[message], typical(headers, payload))
	return payload.(map[string]any)
}

// valid holds a part of a message against its schema.
func (d *asyncDocument) valid(message, part string, v any) {
	d.Helper()
	doc := sealed(d.doc).(map[string]any)
	if err := compile(d.T, doc, fmt.Sprintf("#/components/messages/%s/%s", message, part)).Validate(v); err != nil {
		d.Errorf("%s: %v", message, err)
	}
}

// sealed is a document in which members that no schema names are wrong, as they must not be for readers of answers.
func sealed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			out[name] = sealed(member)
		}
		if _, properties := v["properties"].(map[string]any); properties && v["additionalProperties"] == nil {
			out["additionalProperties"] = false
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = sealed(v[i])
		}
		return out
	}
	return v
}

// examples holds each example against its schema, and looks for one like it among what was seen.
func (d *asyncDocument) examples() {
	d.Helper()
	for message, m := range d.at("components", "messages") {
		for _, e := range m.(map[string]any)["examples"].([]any) {
			e := e.(map[string]any)
			headers, _ := e["headers"].(map[string]any)
			d.valid(message, "payload", e["payload"])
			if headers != nil {
				d.valid(message, "headers", headers)
			}
			if like := typical(headers, e["payload"]); !slices.ContainsFunc(d.seen[message], func(s string) bool { return strings.HasSuffix(s, like) }) {
				d.Errorf("no %s is like the example %v:\n%s\n%s", message, e["name"], like, strings.Join(d.seen[message], "\n"))
			}
		}
	}
}

// typical is a message without what differs from run to run: of the headers only those of errors.
func typical(headers map[string]any, payload any) string {
	data, _ := json.Marshal(payload)
	var clean any
	_ = json.Unmarshal(data, &clean)
	s := &samples{}
	data, _ = json.Marshal(s.stable(anonymous(clean)))
	return fmt.Sprint(cmp.Or(headers[micro.ErrorHeader], any("")), " ", string(data))
}

// anonymous is v without the IDs in it.
func anonymous(v any) any {
	if v, ok := v.(map[string]any); ok && v["correlation_id"] != nil {
		v["correlation_id"] = "ID"
	}
	return v
}
