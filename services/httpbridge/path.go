package httpbridge

import (
	"errors"
	"net/http"
	"strings"

	"github.com/scoreflow/scoreflow/pkg/correlation"
	"github.com/scoreflow/scoreflow/pkg/fault"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// pathID is the correlation ID in a path.
func pathID(r *http.Request) (correlation.ID, error) {
	id, err := correlation.ParseID(r.PathValue("cid"))
	if err != nil {
		return id, fault.Invalid("correlation_id", "it is not a correlation ID: that is a UUID of version 8 in lower case")
	}
	return id, nil
}

// bearer is the bearer token of a request (RFC 6750); the name of the scheme may have any case.
func bearer(r *http.Request) (string, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// ofBody is an error about a report in the words of whoever sent the report alone, with the token as a header.
func ofBody(err error) error {
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	told := *f
	if told.Field = strings.TrimPrefix(f.Field, "report."); f.Field == "report" {
		told.Field = ""
	}
	if f.Code == scorev1.Code_UNAUTHENTICATED || f.Code == scorev1.Code_PERMISSION_DENIED {
		told.Field = "Authorization"
	}
	return &told
}
