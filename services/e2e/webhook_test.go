package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// hook is a webhook that a receiver got: what for, and by which name.
type hook struct {
	correlationID, id string
	err               error // of the stock library that verifies it
}

// The bridge is killed in the middle of a thousand webhooks and started again. Each is delivered at least once, always with the same ID, and
// none is lost: neither those that were asked for before, nor those whose calculations end meanwhile.
func TestTheBridgeIsKilledInTheMiddleOfWebhooks(t *testing.T) {
	t.Parallel()
	const all, middle, clients = 1000, 300, 8
	w := newWorld(t)
	address := "127.0.0.1:" + freePort(t)
	bridge := w.add("bridge", "http-bridge", "serving", slices.Concat(w.settings, []string{
		"--listen", address, "--admin-listen", "127.0.0.1:" + freePort(t), "--webhook-local", "--webhook-timeout", "1s",
	})...)
	w.begin()

	hooks := make(chan hook, 10*all)
	secret := make(chan *standardwebhooks.Webhook, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		h := hook{id: r.Header.Get(standardwebhooks.HeaderWebhookID)}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // it died while it sent
		}
		verifier := <-secret
		secret <- verifier
		var told struct {
			Data struct {
				CorrelationID string `json:"correlation_id"`
			}
		}
		if h.err = verifier.Verify(body, r.Header); h.err == nil {
			h.err = json.Unmarshal(body, &told)
		}
		h.correlationID = told.Data.CorrelationID
		hooks <- h
	}))
	t.Cleanup(receiver.Close)

	// Whoever finds the bridge away comes again.
	post := func(path string, body any) []byte {
		sent, err := json.Marshal(body)
		if err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		for {
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, bytes.NewReader(sent))
			if err != nil {
				t.Error(err)
				return nil
			}
			req.Header = http.Header{"Content-Type": {"application/json"}, "Prefer": {"respond-async, wait=0"}}
			resp, err := http.DefaultClient.Do(req)
			if err == nil {
				var got []byte
				got, err = io.ReadAll(resp.Body)
				resp.Body.Close()
				if err == nil && resp.StatusCode < http.StatusMultipleChoices {
					return got
				}
				if err == nil && resp.StatusCode < http.StatusInternalServerError {
					t.Errorf("%s: %s", resp.Status, got)
					return nil
				}
			}
			if ctx.Err() != nil {
				t.Error(err)
				return nil
			}
		}
	}
	var endpoint struct{ Secret string }
	if err := json.Unmarshal(post("/v1/webhook-endpoints", map[string]string{"id": "crm", "url": receiver.URL}), &endpoint); err != nil {
		t.Fatal(err)
	}
	verifier, err := standardwebhooks.NewWebhook(endpoint.Secret)
	if err != nil {
		t.Fatal(err)
	}
	secret <- verifier

	asked := make(chan string, all)
	var asking sync.WaitGroup
	for client := range clients {
		asking.Go(func() {
			for i := range all / clients {
				var answer struct {
					CorrelationID string `json:"correlation_id"`
				}
				got := post("/v1/score-requests", map[string]string{"customer_id": fmt.Sprint(client, "-", i), "product": credit, "notify": "crm"})
				if err := json.Unmarshal(got, &answer); err != nil {
					t.Error(err)
				}
				asked <- answer.CorrelationID
			}
		})
	}
	go func() {
		asking.Wait()
		close(asked)
	}()

	ids, received := map[string]string{}, 0
	for deadline := time.After(2 * patience); len(ids) < all; {
		select {
		case h := <-hooks:
			if known, ok := ids[h.correlationID]; h.err != nil || h.id == "" || ok && known != h.id {
				t.Fatalf("%+v, and before %q", h, known)
			}
			ids[h.correlationID] = h.id
			if received++; received == middle {
				bridge.kill()
				bridge.restart()
			}
		case <-deadline:
			t.Fatalf("%d of %d are delivered", len(ids), all)
		}
	}
	for id := range asked {
		if ids[id] == "" {
			t.Errorf("nobody was told of %s", id)
		}
	}
	t.Logf("%d delivered, %d of them again", all, received-all)
}
