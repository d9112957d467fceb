package bench

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scoreflow/scoreflow/pkg/client"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// TestHTTP compares scores from the cache over HTTP to a bare handler of net/http that answers with the same body: of the bridge as a process
// beside those of the gateway and the NATS server, and of all of them in one, as in `scoreflow dev`.
func TestHTTP(t *testing.T) {
	ns, url := server(t)
	all := []*process{ns}
	for _, role := range []string{"correlator", "adapter", "gateway"} {
		all = append(all, start(t, role, urlVariable+"="+url))
	}
	fill(t, connect(t, url), 1)
	bridge := start(t, "bridge", urlVariable+"="+url)
	listen, _, _ := strings.Cut(bridge.ready, " ")
	body, err := ask(listen)
	if err != nil {
		t.Fatal(err)
	}
	handler := start(t, "handler", answerVariable+"="+base64.StdEncoding.EncodeToString(body))
	one := start(t, "dev", storeVariable+"="+t.TempDir())
	if _, err := ask(one.ready); err != nil {
		t.Fatal(err)
	}
	all = append(all, bridge, handler, one)
	rows := newComparison("Cached, over HTTP: floor: a bare net/http handler that answers with the same body")
	defer rows.end()
	const n = 64
	run := func(addr string) sample {
		c := dial(t, addr, n)
		defer c.close()
		return metered(t, all, func() sample { return closed(t, n, c.ask) })
	}
	var floor, apart, together series
	for range rounds() {
		floor, apart, together = append(floor, run(handler.ready)), append(apart, run(listen)), append(together, run(one.ready))
	}
	rows.compare(fmt.Sprint(n, " connections, processes of their own"), floor, apart, 0.4, 0)
	rows.compare(fmt.Sprint(n, " connections, all in one process"), floor, together, 0.4, 0)
}

// TestConnections has many connections wait at once, half of them streams of events and half long polls, and then tells them all.
func TestConnections(t *testing.T) {
	_, url := server(t)
	for _, role := range []string{"correlator", "gateway"} { // and nobody who calculates
		start(t, role, urlVariable+"="+url)
	}
	c := client.New(connect(t, url))
	rows := newTable("Open over HTTP: connections that wait at one bridge, half of them streams of events and half long polls, then all are told",
		"connections", "opened in", "bridge before", "bridge", "each", "told in")
	defer rows.end()
	for _, n := range size([]int{1_000, 10_000}, []int{100}) {
		bridge := start(t, "bridge", urlVariable+"="+url)
		listen, admin, _ := strings.Cut(bridge.ready, " ")
		answer, err := c.Request(t.Context(), &scorev1.RequestScoreRequest{CustomerId: customer(n)})
		if err != nil {
			t.Fatal(err)
		}
		before, _ := bridge.memory(t)
		begin := time.Now()
		all := dial(t, listen, n)
		ends := make(chan error, n)
		for i := range n {
			c := <-all
			go func() { ends <- c.wait("/v1/score-requests/"+answer.CorrelationId, i%2 == 0) }()
		}
		waiting(t, admin, n, ends)
		opened := time.Since(begin)
		with, _ := bridge.memory(t)
		begin = time.Now()
		if _, err := c.Abort(t.Context(), &scorev1.AbortRequest{CorrelationId: answer.CorrelationId}); err != nil {
			t.Fatal(err)
		}
		for range n {
			if err := <-ends; err != nil {
				t.Fatal(err)
			}
		}
		rows.row(n, opened.Round(time.Millisecond), megabytes(before), megabytes(with), fmt.Sprintf("%d B", (with-before)/int64(n)),
			time.Since(begin).Round(time.Millisecond))
		bridge.end(syscall.SIGTERM)
	}
}

// waiting returns when so many requests wait at a bridge, of which none may have ended.
func waiting(t *testing.T, admin string, n int, ends <-chan error) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	limit := time.After(time.Minute)
	for found := 0; found < n; {
		select {
		case <-look.C:
		case err := <-ends:
			t.Fatalf("%d of %d wait, and one no longer: %v", found, n, err)
		case <-limit:
			t.Fatalf("%d of %d wait", found, n)
		}
		resp, err := http.Get("http://" + admin + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		found = 0
		for _, match := range inFlight.FindAllSubmatch(body, -1) {
			number, _ := strconv.Atoi(string(match[1]))
			found += number
		}
	}
}

var inFlight = regexp.MustCompile(`scoreflow_requests_in_flight{interface="http",kind="(?:wait|events)"} (\d+)`)

// The request of which everything is asked.
const (
	httpPath = "/v1/score-requests"
	httpBody = `{"customer_id":"customer-00000000"}`
)

// ask is the body that is answered.
func ask(addr string) ([]byte, error) {
	resp, err := http.Post("http://"+addr+httpPath, "application/json", strings.NewReader(httpBody))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return body, err
}

// connections ask, with as little of a client as there can be: net/http's takes longer than what is measured.
type connections chan *connection

type connection struct {
	net.Conn
	in *bufio.Reader
}

var httpRequest = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
	httpPath, len(httpBody), httpBody)

func dial(t *testing.T, addr string, n int) connections {
	t.Helper()
	all := make(connections, n)
	for range n {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			err = c.SetDeadline(time.Now().Add(time.Minute))
		}
		if err != nil {
			t.Fatal(err)
		}
		all <- &connection{c, bufio.NewReader(c)}
	}
	return all
}

func (all connections) close() {
	for range cap(all) {
		(<-all).Close()
	}
}

func (all connections) ask() error {
	c := <-all
	defer func() { all <- c }()
	if _, err := c.Write(httpRequest); err != nil {
		return err
	}
	return c.read()
}

// wait waits at a path for what is there to say CANCELLED: by its stream of events, or by a long poll.
func (c *connection) wait(path string, events bool) error {
	defer c.Close()
	head := "GET " + path + " HTTP/1.1\r\nHost: bench\r\nPrefer: wait=60\r\n\r\n"
	if events {
		head = "GET " + path + "/events HTTP/1.1\r\nHost: bench\r\n\r\n"
	}
	if _, err := c.Write([]byte(head)); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if strings.Contains(lines.Text(), `"CANCELLED"`) {
			return nil
		}
		if resp.StatusCode >= http.StatusBadRequest {
			return fmt.Errorf("%s: %s", resp.Status, lines.Text())
		}
	}
	return fmt.Errorf("%s: it ended otherwise", resp.Status)
}

// read reads an answer of status 200 that says its length.
func (c *connection) read() error {
	line, err := c.in.ReadSlice('\n')
	if err == nil && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		err = fmt.Errorf("the answer is %s", line)
	}
	length := -1
	for err == nil && len(line) > 2 {
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if err == nil {
			line, err = c.in.ReadSlice('\n')
		}
	}
	if err == nil && length < 100 {
		err = errors.New("not a score")
	}
	if err == nil {
		_, err = c.in.Discard(length)
	}
	return err
}
