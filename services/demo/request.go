package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	maxBody       = 1 << 20
	maxName       = 128 // bytes of a correlation ID or a product
	maxCustomerID = 256
)

// request is the body of a call.
type request struct {
	CorrelationID string            `json:"correlation_id"`
	Product       string            `json:"product"`
	CustomerID    string            `json:"customer_id"`
	Attributes    map[string]string `json:"attributes"`
	Deadline      time.Time         `json:"deadline"` // zero = not said
	Callback      *callback         `json:"callback"`

	how behaviour // what the attributes ask for
}

// callback is whom to notify.
type callback struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// readRequest reads the body of a call; else it says what is wrong with it, and the status to answer.
func readRequest(w http.ResponseWriter, r *http.Request, needsCallback bool) (request, int, error) {
	var req request
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return req, http.StatusRequestEntityTooLarge, fmt.Errorf("the body is larger than %d bytes", maxBody)
	}
	if err != nil {
		return req, http.StatusBadRequest, fmt.Errorf("the body broke off: %w", err)
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return req, http.StatusBadRequest, fmt.Errorf("the body is not the JSON of a call: %w", err)
	}
	if err := req.validate(needsCallback); err != nil {
		return req, http.StatusBadRequest, err
	}
	if req.how, err = parseBehaviour(req.Attributes["demo"]); err != nil {
		return req, http.StatusBadRequest, fmt.Errorf("attributes.demo: %w", err)
	}
	return req, 0, nil
}

func (r request) validate(needsCallback bool) error {
	for _, f := range []struct {
		name, value string
		most        int
	}{
		{"correlation_id", r.CorrelationID, maxName}, {"product", r.Product, maxName}, {"customer_id", r.CustomerID, maxCustomerID},
	} {
		if f.value == "" {
			return fmt.Errorf("%s: it is missing", f.name)
		}
		if len(f.value) > f.most {
			return fmt.Errorf("%s: it has more than %d bytes", f.name, f.most)
		}
	}
	if !needsCallback {
		return nil
	}
	if r.Callback == nil {
		return errors.New("callback: it is missing")
	}
	if u, err := url.Parse(r.Callback.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("callback.url: it is not an http or https URL")
	}
	if r.Callback.Token == "" {
		return errors.New("callback.token: it is missing")
	}
	return nil
}
