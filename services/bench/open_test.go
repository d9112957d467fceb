package bench

import (
	"fmt"
	"testing"
	"time"
)

// TestOpen has many calculations pending at once, whose backend notifies only when all of them have been handed over, at three levels: what
// a request costs, and what the services need of memory, must not grow with the number of those that are pending; but for the garbage
// that each of them lets come together, see daemon.Ballast.
func TestOpen(t *testing.T) {
	dir := binaries(t, "gateway", "correlator", "backend-adapter")
	rows := newTable("Open calculations: memory while all are pending, then all are settled by notifications; CPU is that of all processes, each",
		"pending", "submitted", "CPU", "settled", "CPU", "in", "gateway", "correlator", "adapter", "server", "each")
	defer rows.end()
	for _, n := range size([]int{1_000, 10_000, 100_000}, []int{100}) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newSuite(t, dir, 0)
			idle, _ := s.server.memory(t)
			submitted := s.submit(t, n)
			var memory []int64
			for _, p := range s.processes() {
				now, _ := p.memory(t)
				memory = append(memory, now)
			}
			settled := s.settle(t)
			s.nothingLeft(t)
			in := time.Duration(float64(n) / settled.rate * float64(time.Second)).Round(10 * time.Millisecond)
			rows.row(n, perSecond(submitted.rate), submitted.cpu, perSecond(settled.rate), settled.cpu, in,
				megabytes(memory[0]), megabytes(memory[1]), megabytes(memory[2]), megabytes(memory[3]), fmt.Sprintf("%d B", (memory[3]-idle)/int64(n)))
		})
	}
}

// TestWaiting has many requests wait at one gateway.
func TestWaiting(t *testing.T) {
	dir := binaries(t, "gateway", "correlator", "backend-adapter")
	rows := newTable("Waiting requests: each waits at the one gateway for a calculation of its own, then all are answered",
		"waiting", "submitted", "CPU", "answered", "CPU", "gateway before", "gateway", "each", "its goroutines")
	defer rows.end()
	for _, n := range size([]int{10_000, 100_000}, []int{100}) {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s := newSuite(t, dir, longest)
			before, _ := s.gateway.memory(t)
			submitted := s.submit(t, n)
			with, _ := s.gateway.memory(t)
			cells := []any{n, perSecond(submitted.rate), submitted.cpu, "", "", megabytes(before), megabytes(with), fmt.Sprintf("%d B", (with-before)/int64(n))}
			if n <= 10_000 { // to count the goroutines is the end of the process
				cells = append(cells, s.gateway.goroutines())
			} else {
				answered := s.settle(t)
				cells[3], cells[4] = perSecond(answered.rate), answered.cpu
			}
			rows.row(cells...)
		})
	}
}
