package dev

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scoreflow/scoreflow/pkg/daemon"
)

// keepSecret is the secret of the store, made once: another one would not find what was stored with the first.
func keepSecret(store string) ([]byte, error) {
	path := filepath.Join(store, "secret")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := makeSecret(path); err != nil {
			return nil, fmt.Errorf("make the secret: %w", err)
		}
	}
	return daemon.ReadSecret(path)
}

// makeSecret takes the name only when all is written: a process may be killed at any time.
func makeSecret(path string) error {
	unfinished := path + ".unfinished"
	if err := os.WriteFile(unfinished, []byte(rand.Text()+rand.Text()+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(unfinished, path)
}
