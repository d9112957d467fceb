package dev

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestSecretIsMadeOnce(t *testing.T) {
	store := t.TempDir()
	first, err := keepSecret(store)
	if err != nil {
		t.Fatal(err)
	}
	second, err := keepSecret(store)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("got %q, then %q", first, second)
	}
	other, err := keepSecret(t.TempDir())
	if err != nil || bytes.Equal(first, other) {
		t.Errorf("two stores have one secret: %v", err)
	}
	info, err := os.Stat(filepath.Join(store, "secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}
