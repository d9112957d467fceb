package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/bus"
	"github.com/scoreflow/scoreflow/pkg/correlation"
)

// Settings are what every service is told. Embed them in its grammar.
type Settings struct {
	File
	NATS
	Log
	Replicas int `help:"Copies of each stream and bucket: 1, or 3 on a cluster." default:"1"`
}

// Validate is called by kong.
func (s *Settings) Validate() error {
	if s.Replicas < 1 || s.Replicas > 5 {
		return fmt.Errorf("--replicas: %d is not between 1 and 5", s.Replicas)
	}
	return nil
}

// NATS is where the broker is.
type NATS struct {
	NATSURL   string `name:"nats-url" help:"Where NATS is; several with commas between them." default:"nats://127.0.0.1:4222"`
	NATSCreds string `name:"nats-creds" help:"File with the credentials for NATS." placeholder:"FILE"`
}

// Validate is called by kong.
func (n *NATS) Validate() error {
	for each := range strings.SplitSeq(n.NATSURL, ",") {
		if u, err := url.Parse(strings.TrimSpace(each)); err != nil || u.Host == "" {
			return fmt.Errorf("--nats-url: %q is not a URL like nats://127.0.0.1:4222", each)
		}
	}
	if n.NATSCreds == "" {
		return nil
	}
	if _, err := os.Stat(n.NATSCreds); err != nil {
		return fmt.Errorf("--nats-creds: %w", err)
	}
	return nil
}

// Connect waits until NATS is there. The connection then reconnects for ever.
func (n *NATS) Connect(ctx context.Context, name string, log *zap.Logger) (*nats.Conn, error) {
	return bus.Connect(ctx, bus.Config{URL: n.NATSURL, Creds: n.NATSCreds, Name: name}, log)
}

// Secret is the secret of the suite: gateways make keys with it, adapters the tokens of call-backs. It is the same everywhere.
type Secret struct {
	SecretFile string `help:"File with the secret of the suite: 32 bytes or more, white space at its end not counted." placeholder:"FILE"`
}

// Read reads the file anew each time.
func (s *Secret) Read() ([]byte, error) {
	if s.SecretFile == "" {
		return nil, usageError{errors.New("--secret-file: it is not set")}
	}
	secret, err := ReadSecret(s.SecretFile)
	if err != nil {
		return nil, usageError{fmt.Errorf("--secret-file: %w", err)}
	}
	return secret, nil
}

// ReadSecret reads a secret as Secret describes it.
func ReadSecret(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	secret := bytes.TrimRight(content, " \t\r\n")
	if len(secret) < correlation.MinSecret {
		return nil, fmt.Errorf("%s has %d bytes, fewer than %d", path, len(secret), correlation.MinSecret)
	}
	return secret, nil
}
