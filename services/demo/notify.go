package demo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/scoreflow/scoreflow/pkg/retry"
)

const (
	notifyTimeout = 30 * time.Second // of one try
	maxConns      = 64               // notifications at once, to one host
)

func newClient() *http.Client {
	return &http.Client{
		Timeout:       notifyTimeout,
		Transport:     &http.Transport{MaxConnsPerHost: maxConns, MaxIdleConnsPerHost: maxConns, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// finish waits for a calculation's end and notifies of it, until the notification is accepted, or refused, or ctx ends.
func (s *Service) finish(ctx context.Context, c calculation) {
	defer s.memory.notified(c.entry)
	if !c.wait(ctx) {
		return
	}
	log := s.log.With(zap.String("correlation_id", c.id))
	policy := retry.Policy{First: 200 * time.Millisecond, Most: 5 * time.Second}
	for _, body := range c.notifications() {
		err := retry.Do(ctx, policy, func() error {
			err := s.notify(ctx, s.memory.whom(c.entry), body)
			if err != nil {
				log.Debug("not notified", zap.Error(err))
			}
			return err
		})
		if err != nil {
			log.Info("gave up to notify", zap.Error(err))
			return
		}
		log.Debug("notified")
	}
}

// notify tries once.
func (s *Service) notify(ctx context.Context, to *callback, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return retry.Stop(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+to.Token)
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxBody))
	switch resp.StatusCode {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return fmt.Errorf("the answer was %s", resp.Status)
	}
	switch resp.StatusCode / 100 {
	case 2:
		return nil
	case 4:
		return retry.Stop(fmt.Errorf("refused: the answer was %s", resp.Status))
	}
	return fmt.Errorf("the answer was %s", resp.Status)
}
