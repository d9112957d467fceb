package dev

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"github.com/scoreflow/scoreflow/pkg/daemon"
)

// part is one of those that make up the suite.
type part struct {
	name    string
	service daemon.Service
	conn    *nats.Conn // its own; nil = it has none

	stop context.CancelFunc
	done chan struct{}
	err  error // once done is closed
}

// start lets it run, until ctx ends or end is called; then it tells ended.
func (p *part) start(ctx context.Context, ended chan<- struct{}) {
	ctx, p.stop = context.WithCancel(ctx)
	p.done = make(chan struct{})
	go func() {
		p.err = p.run(ctx)
		close(p.done)
		ended <- struct{}{}
	}()
}

func (p *part) run(ctx context.Context) error {
	err := p.service.Run(ctx)
	if err == nil && ctx.Err() == nil {
		err = errors.New("ended, and nobody asked it to")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	return nil
}

// end returns when it has drained.
func (p *part) end() error {
	p.stop()
	<-p.done
	if p.conn != nil {
		p.conn.Close()
	}
	return p.err
}
