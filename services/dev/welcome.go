package dev

import (
	"fmt"
	"io"
	"strings"
)

const defaultURL = "nats://127.0.0.1:4222"

const welcome = `
scoreflow is ready; Ctrl-C ends it
  store      {store}
  NATS       {url}
  HTTP       http://{http}   (a console for people is there too)
  call-backs {adapter}
  demo       {demo}   (product credit waits, product report calls back)

try
  bin/scoreflow request 42{flag}
  bin/scoreflow request 43 --wait 0{flag}
  bin/scoreflow watch <correlation ID>{flag}
  bin/scoreflow fetch --customer 43{flag}
  nats{server} req score.v1.request '{"customer_id":"44","wait":"30s"}'
  curl --json '{"customer_id":"44"}' http://{http}/v1/score-requests
  curl -N http://{http}/v1/results/events
  nats{server} sub 'score.v1.result.*'

`

// Welcome tells a person what runs where, and what to try.
func (s *Suite) Welcome(w io.Writer) error {
	flag, server := "", ""
	if s.URL() != defaultURL {
		flag, server = " --nats-url "+s.URL(), " -s "+s.URL()
	}
	_, err := strings.NewReplacer(
		"{store}", s.cfg.Store, "{url}", s.URL(),
		"{http}", s.HTTPAddr(), "{adapter}", "http://"+s.adapter.Addr(), "{demo}", "http://"+s.demo.Addr(),
		"{flag}", flag, "{server}", server,
	).WriteString(w, welcome)
	if err != nil {
		return fmt.Errorf("welcome: %w", err)
	}
	return nil
}
