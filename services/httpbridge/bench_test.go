package httpbridge_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/services/dev/devtest"
	"github.com/scoreflow/scoreflow/services/httpbridge"
)

// BenchmarkCached is a score from the cache, over HTTP, besides a bare handler that answers with the same bytes; everything is in this
// process, on 64 connections.
func BenchmarkCached(b *testing.B) {
	url, _ := devtest.Run(b)
	nc, err := bus.Connect(b.Context(), bus.Config{URL: url, Name: "bridge"}, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	s, err := httpbridge.New(b.Context(), httpbridge.Config{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0"}, nc, zap.NewNop())
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Run(b.Context()) }()
	resp, err := http.Post("http://"+s.Addr()+"/v1/score-requests", "application/json", strings.NewReader(`{"customer_id":"42"}`))
	if err != nil {
		b.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.Fatal(err)
	}
	resp.Body.Close()
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	b.Cleanup(bare.Close)
	b.Run("bare", func(b *testing.B) { cached(b, strings.TrimPrefix(bare.URL, "http://")) })
	b.Run("bridge", func(b *testing.B) { cached(b, s.Addr()) })
}

// cached sends requests on 64 connections, with as little of a client as there can be.
func cached(b *testing.B, addr string) {
	const body = `{"customer_id":"42"}`
	request := []byte(fmt.Sprintf("POST /v1/score-requests HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body))
	todo := make(chan struct{}, b.N)
	for range b.N {
		todo <- struct{}{}
	}
	close(todo)
	b.ReportAllocs()
	before := processorTime()
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			in := bufio.NewReader(c)
			for range todo {
				if _, err := c.Write(request); err != nil {
					b.Error(err)
					return
				}
				if err := readAnswer(in); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(processorTime()-before)/float64(b.N), "cpu-ns/op")
}

// readAnswer reads an answer of status 200 that says its length.
func readAnswer(in *bufio.Reader) error {
	length, first := 0, true
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("got %s", line)
		}
		first = false
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if _, err := fmt.Sscan(string(value), &length); err != nil {
				return err
			}
		}
		if len(line) == 2 {
			_, err := in.Discard(length)
			return err
		}
	}
}

// processorTime is what this process has used, which tells more than the clock on a machine that others use too.
func processorTime() int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return used.Utime.Nano() + used.Stime.Nano()
}
