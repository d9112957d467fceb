package httpbridge_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/scoreflow/scoreflow/services/httpbridge"
)

// Many wait at once, for one result and for all: each is told, none costs more than its connection, and NATS sees none of them.
func TestManyWait(t *testing.T) {
	const connections = 600
	b := start(t, func(c *httpbridge.Config) { c.MaxConnections = connections + 10 })
	id := b.pending("42")
	before, subscriptions := memory(), b.nc.NumSubscriptions()
	kinds := []string{
		"GET /v1/score-requests/" + id + "/events HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /v1/score-requests/" + id + " HTTP/1.1\r\nHost: x\r\nPrefer: wait=60\r\n\r\n",
		"GET /v1/results/events HTTP/1.1\r\nHost: x\r\n\r\n",
	}
	open := make([]net.Conn, connections)
	for i := range open {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.WriteString(c, kinds[i%len(kinds)]); err != nil {
			t.Fatal(err)
		}
		open[i] = c
	}
	polls := (connections + 1) / len(kinds)
	b.await("scoreflow_requests_in_flight", `interface="http",kind="wait"`, fmt.Sprint(polls))
	b.await("scoreflow_requests_in_flight", `interface="http",kind="events"`, fmt.Sprint(connections-polls))
	t.Logf("%d connections wait, each takes %d bytes", connections, (memory()-before)/int64(connections))
	if n := b.nc.NumSubscriptions(); n != subscriptions {
		t.Errorf("%d subscriptions, there were %d", n, subscriptions)
	}
	began := time.Now()
	b.complete(id).expect(t, 200)
	for i, c := range open {
		if err := c.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(i, err)
		}
		told := false
		for lines := bufio.NewScanner(resp.Body); !told && lines.Scan(); {
			told = strings.Contains(lines.Text(), `"READY"`)
		}
		if !told {
			t.Fatalf("connection %d was not told: %s", i, resp.Status)
		}
	}
	t.Logf("all were told after %v", time.Since(began))
}

// memory is what the process uses, stacks included.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
