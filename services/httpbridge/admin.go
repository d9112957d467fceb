package httpbridge

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// adminHandler is what operators reach: whether it lives, whether it is ready, and what it counts.
func (s *Service) adminHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.HandleFunc("GET /healthz", s.ready)
	mux.Handle("GET /metrics", s.metrics.handler())
	return mux
}

// ready says whether requests should be sent here. With ?verbose it says it of each condition.
func (s *Service) ready(w http.ResponseWriter, r *http.Request) {
	var text strings.Builder
	status := http.StatusOK
	for _, c := range []struct {
		name string
		err  error
	}{{"nats", s.connected()}, {"draining", s.stays()}} {
		if c.err == nil {
			fmt.Fprintf(&text, "[+] %s: ok\n", c.name)
			continue
		}
		status = http.StatusServiceUnavailable
		fmt.Fprintf(&text, "[-] %s: %v\n", c.name, c.err)
	}
	switch _, verbose := r.URL.Query()["verbose"]; {
	case status == http.StatusOK && !verbose:
		writeText(w, status, "ok\n")
	default:
		writeText(w, status, text.String())
	}
}

func (s *Service) connected() error {
	if s.nc.IsConnected() {
		return nil
	}
	return fmt.Errorf("the connection is %s", strings.ToLower(s.nc.Status().String()))
}

func (s *Service) stays() error {
	if s.isDraining() {
		return errors.New("this instance is being stopped")
	}
	return nil
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Cache-Control", "no-store")
	write(w, status, "text/plain", []byte(text))
}
