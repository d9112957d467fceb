package cli

import (
	"fmt"
	"sync"
	"time"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

const (
	redrawEvery = 100 * time.Millisecond
	clearLine   = "\r\x1b[K"
)

// progress tells that a calculation goes on, until stop is called: on a terminal by a line that is drawn again and again, and is gone in the
// end.
func (e *Env) progress(pending *scorev1.Answer) (stop func()) {
	about := ""
	if pending.Eta != nil {
		about = fmt.Sprintf(" (about %v)", pending.Eta.AsDuration().Round(time.Second))
	}
	line := "calculating ... " + pending.CorrelationId
	if !e.Terminal {
		fmt.Fprintln(e.Stderr, line+about)
		return func() {}
	}
	began := time.Now()
	draw := func() { fmt.Fprintf(e.Stderr, "%s%s  %.1fs%s", clearLine, line, time.Since(began).Seconds(), about) }
	draw()
	done := make(chan struct{})
	var drawing sync.WaitGroup
	drawing.Go(func() {
		redraw := time.NewTicker(redrawEvery)
		defer redraw.Stop()
		for {
			select {
			case <-redraw.C:
				draw()
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		drawing.Wait()
		fmt.Fprint(e.Stderr, clearLine)
	}
}
