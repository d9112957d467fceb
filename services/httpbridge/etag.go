package httpbridge

import (
	"strconv"
	"strings"

	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// etag is the strong validator of a final answer: the revision of the customer's record, and the version of the way documents are
// written, which a change of it must change. What differs from one answer to the next, as its age does, stands in headers.
func etag(a *scorev1.Answer) string {
	tag := `"r` + strconv.FormatUint(a.Revision, 10) + "-j1"
	if a.Expired {
		tag += "-expired"
	}
	return tag + `"`
}

// matches says whether the header If-None-Match names the validator: the weak comparison (RFC 9110, section 8.8.3.2).
func matches(lines []string, tag string) bool {
	rest := strings.Join(lines, ",")
	if strings.Trim(rest, " \t") == "*" {
		return true
	}
	for {
		rest = strings.TrimLeft(rest, " \t,")
		opaque := strings.TrimPrefix(rest, "W/")
		if !strings.HasPrefix(opaque, `"`) {
			return false
		}
		end := strings.IndexByte(opaque[1:], '"')
		if end < 0 {
			return false
		}
		if opaque[:end+2] == tag {
			return true
		}
		rest = opaque[end+2:]
	}
}
