package adapter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// completionsPath is where backends POST their reports, followed by the correlation ID.
const completionsPath = "/v1/completions/"

// listen opens the address for notifications by HTTP.
func (s *Service) listen() error {
	if s.cfg.Listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.listener = l
	if s.cfg.CallbackURL == "" {
		s.cfg.CallbackURL = "http://" + l.Addr().String()
	}
	s.cfg.CallbackURL = strings.TrimRight(s.cfg.CallbackURL, "/")
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+completionsPath+"{id}", s.receive)
	s.http = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      patience + 15*time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          zap.NewStdLog(s.log.Named("http")),
	}
	return nil
}

func (s *Service) serveHTTP() {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		s.log.Error("notifications by HTTP are no longer taken in", zap.Error(err))
	}
}

// closeHTTP takes no more notifications and finishes those under way.
func (s *Service) closeHTTP(ctx context.Context) {
	if s.http == nil {
		return
	}
	if err := s.http.Shutdown(ctx); err != nil {
		s.log.Warn("notifications by HTTP were cut off", zap.Error(err))
	}
}

// receive takes in a notification by HTTP: the report is the body, the token a bearer token.
func (s *Service) receive(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	out, err := s.takeHTTP(ctx, w, r)
	if err != nil {
		f := fault.From(err)
		if f.Code == scorev1.Code_INTERNAL {
			s.log.Error("a notification failed", zap.Error(err))
		}
		reply(w, f.Status(), wire.JSON.ErrorMessage("", f).Data)
		return
	}
	data, err := wire.JSON.Marshal(out)
	if err != nil {
		s.log.Error("an answer cannot be written", zap.Error(err))
	}
	reply(w, http.StatusOK, data)
}

func (s *Service) takeHTTP(ctx context.Context, w http.ResponseWriter, r *http.Request) (*scorev1.NotifyResponse, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxRequest))
	if err != nil {
		return nil, fault.Invalid("report", "the body could not be read, or has more than %d bytes", wire.MaxRequest)
	}
	in := &scorev1.NotifyRequest{CorrelationId: r.PathValue("id"), Report: &scorev1.Report{}}
	in.Token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if err := wire.JSON.Unmarshal(body, in.Report); err != nil {
		return nil, err
	}
	return s.take(ctx, in)
}

func reply(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", wire.JSON.ContentType())
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has gone needs no answer
}
