package daemon

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
)

// Config is the configuration of a service. Validate names the first setting that cannot be.
type Config interface{ Validate() error }

// Service runs until ctx ends, drains and returns.
type Service interface {
	Run(ctx context.Context) error
}

// Serve runs one service from its configuration to its end. It waits for NATS as long as that takes.
func Serve[C Config, S Service](
	ctx context.Context, name string, settings Settings, cfg C,
	newService func(context.Context, C, *nats.Conn, *zap.Logger) (S, error),
) error {
	if err := cfg.Validate(); err != nil {
		return usageError{err}
	}
	log := settings.Logger(name)
	nc, err := settings.Connect(ctx, "scoreflow-"+name, log)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	defer nc.Close()
	service, err := newService(ctx, cfg, nc, log)
	if err != nil {
		return unlessStopped(ctx, fmt.Errorf("start: %w", err))
	}
	return service.Run(ctx)
}

// unlessStopped is err, unless it is only how the start noticed that the process was asked to end.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
