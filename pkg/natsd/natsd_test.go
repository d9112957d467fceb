package natsd_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/natsd"
)

func TestStoreSurvivesARestart(t *testing.T) {
	dir := t.TempDir()

	server := start(t, natsd.Config{StoreDir: dir})
	bucket, err := connect(t, server).CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "kept"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bucket.PutString(t.Context(), "key", "value"); err != nil {
		t.Fatal(err)
	}
	server.Shutdown()

	server = start(t, natsd.Config{StoreDir: dir})
	bucket, err = connect(t, server).KeyValue(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	entry, err := bucket.Get(t.Context(), "key")
	if err != nil || string(entry.Value()) != "value" {
		t.Fatalf("got %v, %v", entry, err)
	}
}

func TestStoreBelongsToOneServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	first := start(t, natsd.Config{StoreDir: dir, DontListen: true})

	_, err := natsd.Start(natsd.Config{StoreDir: dir, DontListen: true}, zap.NewNop())
	wantError(t, err, fmt.Sprintf("%s is in use by process %d", dir, os.Getpid()))

	first.Shutdown()
	start(t, natsd.Config{StoreDir: dir, DontListen: true})
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	port := taken.Addr().(*net.TCPAddr).Port

	_, err = natsd.Start(natsd.Config{StoreDir: dir, Port: port}, zap.NewNop())
	wantError(t, err, "127.0.0.1:"+strconv.Itoa(port)+" is in use: is another `make run` running? choose another with --nats-port")

	start(t, natsd.Config{StoreDir: dir}) // the store was given back
}

func TestRefusedSettings(t *testing.T) {
	for _, test := range []struct {
		cfg  natsd.Config
		want string
	}{
		{natsd.Config{}, "store: "},
		{natsd.Config{StoreDir: "s", Host: "0.0.0.0"}, "nats-host: "},
		{natsd.Config{StoreDir: "s", Host: "192.0.2.1"}, "nats-host: "},
		{natsd.Config{StoreDir: "s", Host: "example.org"}, "nats-host: "},
		{natsd.Config{StoreDir: "s", Port: 65536}, "nats-port: "},
		{natsd.Config{StoreDir: "s", Port: -1}, "nats-port: "},
	} {
		_, err := natsd.Start(test.cfg, zap.NewNop())
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %s...", test.cfg, err, test.want)
		}
	}
}

func TestDamagedStoreIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "jetstream"), []byte("not a directory"), 0o600); err != nil {
		t.Fatal(err)
	}
	if server, err := natsd.Start(natsd.Config{StoreDir: dir, DontListen: true}, zap.NewNop()); err == nil {
		server.Shutdown()
		t.Fatal("started")
	}
}

func start(t *testing.T, cfg natsd.Config) *natsd.Server {
	t.Helper()
	server, err := natsd.Start(cfg, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Shutdown)
	return server
}

func connect(t *testing.T, server *natsd.Server) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(server.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Fatalf("got error %v, want %s", err, want)
	}
}
