package cli

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

func TestProgressOnATerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		e := &Env{Stderr: &screen, Terminal: true}
		stop := e.progress(&scorev1.Answer{CorrelationId: "c1", Eta: durationpb.New(4200 * time.Millisecond)})
		<-time.After(250 * time.Millisecond)
		stop()
		want := []string{
			"calculating ... c1  0.0s (about 4s)",
			"calculating ... c1  0.1s (about 4s)",
			"calculating ... c1  0.2s (about 4s)",
			"", // the line is gone
		}
		if got := screen.String(); got != clearLine+strings.Join(want, clearLine) {
			t.Errorf("got %q", got)
		}
	})
}

func TestProgressElsewhere(t *testing.T) {
	var log bytes.Buffer
	(&Env{Stderr: &log}).progress(&scorev1.Answer{CorrelationId: "c1"})()
	if got := log.String(); got != "calculating ... c1\n" {
		t.Errorf("got %q", got)
	}
}
