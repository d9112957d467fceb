package httpbridge

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/scoreflow/scoreflow/pkg/fault"
	"github.com/scoreflow/scoreflow/pkg/wire"
)

// surplusRead is how many bytes of a body that is too large are read nonetheless: to whoever still sends the connection would seem broken, and
// the answer would be lost.
const surplusRead = 256 << 10

// maxDepth is how deep a request's JSON may be nested; the messages of the contract need four.
const maxDepth = 16

// readBody reads the JSON of a request.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	if err != nil || media != "application/json" || charset != "" && charset != "utf-8" {
		refused := refuse(http.StatusUnsupportedMediaType, "Content-Type", "it must be application/json")
		refused.header.Set("Accept", "application/json")
		return nil, refused
	}
	if r.Header.Get("Content-Encoding") != "" {
		refused := refuse(http.StatusUnsupportedMediaType, "Content-Encoding", "the body must not be encoded")
		refused.header.Set("Accept-Encoding", "identity")
		return nil, refused
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxRequest))
	if err != nil {
		_, _ = io.CopyN(io.Discard, r.Body, surplusRead) // what can no longer be read cannot be read here either
		return nil, unread(err)
	}
	if depth(body) > maxDepth {
		return nil, fault.Invalid("", "the body is nested deeper than %d levels", maxDepth)
	}
	return body, nil
}

// unread is the error to tell for a body that could not be read.
func unread(err error) error {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return refuse(http.StatusRequestEntityTooLarge, "", "the body has more than %d bytes", wire.MaxRequest)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		refused := refuse(http.StatusRequestTimeout, "", "the body did not arrive in time")
		refused.header.Set("Connection", "close")
		return refused
	}
	return fault.Invalid("", "the body broke off")
}

// depth is how deep JSON is nested; of what is not JSON it is any number.
func depth(data []byte) int {
	deepest, now, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			now++
			deepest = max(deepest, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return deepest
}
