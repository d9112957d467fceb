package httpbridge_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	contract "github.com/scoreflow/scoreflow/proto"
)

// document is the OpenAPI document, and what was seen of it.
type document struct {
	*openapi3.T
	routes *http.ServeMux // the paths of the document
	t      *testing.T

	mu      sync.Mutex
	answers map[string][]string        // by operation and status: the bodies
	headers map[string]map[string]bool // by operation and status
	faults  []string
}

func openDocument(t *testing.T) *document {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(contract.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	for _, schema := range doc.Components.Schemas {
		seal(schema)
	}
	d := &document{T: doc, t: t, routes: http.NewServeMux(), answers: map[string][]string{}, headers: map[string]map[string]bool{}}
	for _, name := range d.operations() {
		d.routes.HandleFunc(pattern(name), func(http.ResponseWriter, *http.Request) {})
	}
	return d
}

// pattern is an operation as a pattern of a mux.
func pattern(operation string) string {
	if strings.HasSuffix(operation, " /") {
		return operation + "{$}"
	}
	return operation
}

// seal has properties that are not documented refused, as readers of answers must not do.
func seal(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Ref != "" || ref.Value == nil {
		return
	}
	s := ref.Value
	if len(s.Properties) > 0 {
		s.AdditionalProperties = openapi3.BoolSchema{Has: new(false)}
	}
	for _, property := range s.Properties {
		seal(property)
	}
	seal(s.Items)
}

// operations is all of them, as "GET /path".
func (d *document) operations() (all []string) {
	for path, item := range d.Paths.Map() {
		for method := range item.Operations() {
			all = append(all, method+" "+path)
		}
	}
	slices.Sort(all)
	return all
}

func (d *document) operation(name string) *openapi3.Operation {
	method, path, _ := strings.Cut(name, " ")
	return d.Paths.Value(path).GetOperation(method)
}

// with is the operations that document a status.
func (d *document) with(status int) (all []string) {
	for _, name := range d.operations() {
		if d.operation(name).Responses.Status(status) != nil {
			all = append(all, name)
		}
	}
	return all
}

// recorded is a client whose traffic is held against the document.
func (d *document) recorded() *http.Client {
	return &http.Client{
		Transport:     roundTrip(d.exchange),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (d *document) exchange(r *http.Request) (*http.Response, error) {
	var sent []byte
	if r.Body != nil && r.ContentLength > 0 {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var got []byte
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		if got, err = io.ReadAll(resp.Body); err != nil {
			return nil, err
		}
		resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(got))
	}
	if err := d.check(r, sent, resp, got); err != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.faults = append(d.faults, fmt.Sprintf("%s %s: %s: %v", r.Method, r.URL.Path, resp.Status, err))
	}
	return resp, nil
}

// ofHTTP is headers that no document need name.
var ofHTTP = []string{"Date", "Content-Length", "Content-Type", "Connection", "Transfer-Encoding"}

// check holds an exchange against the document: the answer always, the request if it was accepted.
func (d *document) check(r *http.Request, sent []byte, resp *http.Response, got []byte) error {
	copied := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), bytes.NewReader(sent))
	copied.Header = r.Header
	_, matched := d.routes.Handler(copied)
	if matched == "" {
		return fmt.Errorf("the route is not documented")
	}
	d.routes.ServeHTTP(httptest.NewRecorder(), copied) // for the values in its path
	method, path, _ := strings.Cut(strings.TrimSuffix(matched, "{$}"), " ")
	item := d.Paths.Value(path)
	values := map[string]string{}
	for _, name := range regexp.MustCompile(`{(\w+)}`).FindAllStringSubmatch(path, -1) {
		values[name[1]] = copied.PathValue(name[1])
	}
	in := &openapi3filter.RequestValidationInput{
		Request: copied, PathParams: values, QueryParams: copied.URL.Query(),
		Route:   &routers.Route{Spec: d.T, Path: path, PathItem: item, Method: method, Operation: item.GetOperation(method)},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if resp.StatusCode < 400 {
		copied.Body = io.NopCloser(bytes.NewReader(sent))
		if err := openapi3filter.ValidateRequest(r.Context(), in); err != nil {
			return err
		}
	}
	in.Options.ExcludeResponseBody = !strings.Contains(resp.Header.Get("Content-Type"), "json")
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Options: in.Options}
	if err := openapi3filter.ValidateResponse(r.Context(), out.SetBodyBytes(got)); err != nil {
		return err
	}
	return d.saw(method+" "+path, resp, string(got))
}

// receive holds a delivery to a receiver against the document.
func (d *document) receive(r *http.Request) error {
	item := d.Webhooks["result"]
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	err = openapi3filter.ValidateRequest(r.Context(), &openapi3filter.RequestValidationInput{
		Request: r, Route: &routers.Route{Spec: d.T, PathItem: item, Method: r.Method, Operation: item.GetOperation(r.Method)},
	})
	for name := range r.Header {
		if strings.HasPrefix(name, "Webhook-") && item.Post.Parameters.GetByInAndName("header", strings.ToLower(name)) == nil {
			err = errors.Join(err, fmt.Errorf("the header %s is not documented", name))
		}
	}
	d.read("POST webhook", string(body))
	return err
}

// saw keeps an answer, and looks at what the library does not.
func (d *document) saw(operation string, resp *http.Response, body string) error {
	documented := d.operation(operation).Responses.Status(resp.StatusCode).Value
	if media := strings.Split(resp.Header.Get("Content-Type"), ";")[0]; media != "" && documented.Content.Get(media) == nil {
		return fmt.Errorf("the media type %s is not documented", media)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	key := fmt.Sprint(operation, " ", resp.StatusCode)
	if d.headers[key] == nil {
		d.headers[key] = map[string]bool{}
	}
	for name := range resp.Header {
		d.headers[key][name] = true
		known := func(documented string) bool { return http.CanonicalHeaderKey(documented) == name }
		if !slices.Contains(ofHTTP, name) && !slices.ContainsFunc(slices.Collect(maps.Keys(documented.Headers)), known) {
			return fmt.Errorf("the header %s is not documented", name)
		}
	}
	d.answers[key] = append(d.answers[key], body)
	return nil
}

// read keeps what was read of a stream of events.
func (d *document) read(operation, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[operation+" 200"] = append(d.answers[operation+" 200"], text)
}

// finish says what was wrong, and what was documented and never seen. A defect cannot be had on demand.
func (d *document) finish() {
	for _, wrong := range d.faults {
		d.t.Error(wrong)
	}
	for example, value := range d.Webhooks["result"].Post.RequestBody.Value.Content.Get("application/json").Examples {
		d.find("POST webhook 200", "application/json", example, value.Value.Value)
	}
	for _, name := range d.operations() {
		for status, response := range d.operation(name).Responses.Map() {
			key := name + " " + status
			if len(d.answers[key]) == 0 && status != "500" {
				d.t.Errorf("%s was never seen", key)
				continue
			}
			for header := range response.Value.Headers {
				if status != "500" && !d.headers[key][http.CanonicalHeaderKey(header)] {
					d.t.Errorf("%s: the header %s was never seen", key, header)
				}
			}
			for media, content := range response.Value.Content {
				for example, value := range content.Examples {
					d.find(key, media, example, value.Value.Value)
				}
			}
		}
	}
}

// find looks for an example among the answers.
func (d *document) find(key, media, name string, example any) {
	text, isText := example.(string)
	if !isText {
		data, err := json.Marshal(example)
		if err != nil {
			d.t.Fatal(err)
		}
		text = string(data)
	}
	for _, answer := range d.answers[key] {
		if stable(answer) == stable(text) {
			return
		}
	}
	d.t.Errorf("%s: no answer is like the example %s (%s):\n%s\n%s", key, name, media, stable(text), strings.Join(d.answers[key], "\n"))
}

// changes is what differs from run to run.
var changes = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`), "TIME"},
	{regexp.MustCompile(`"(eta|revision)":"[\d.s]+"`), `"$1":"N"`},
	{regexp.MustCompile(`(whsec|whpk|msg)_[\w+/=]+`), "${1}_"},
	{regexp.MustCompile(`(?m)^id: ?\d+$`), "id: N"},
	{regexp.MustCompile(`(?m)^(\w+): `), "$1:"},
}

// stable is JSON, or events with JSON, in one form and without what differs from run to run.
func stable(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		prefix, data := "", line
		if rest, ok := strings.CutPrefix(line, "data:"); ok {
			prefix, data = "data:", rest
		}
		var v any
		if json.Unmarshal([]byte(data), &v) != nil {
			continue
		}
		if sorted, err := json.Marshal(v); err == nil {
			lines[i] = prefix + string(sorted)
		}
	}
	text = strings.Join(lines, "\n")
	for _, c := range changes {
		text = c.is.ReplaceAllString(text, c.as)
	}
	return text
}
