package wire

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/scoreflow/scoreflow/pkg/fault"
)

var position = regexp.MustCompile(`\(line (\d+):(\d+)\)`)

// invalidJSON makes of protojson's error, which tells only a position and what it met there, one that names the field.
func invalidJSON(data []byte, err error) error {
	if !json.Valid(data) {
		return fault.Invalid("", "the message is not JSON")
	}
	text := err.Error()
	field := fieldAt(data, offset(data, text))
	switch {
	case strings.Contains(text, "unknown field"):
		return fault.Invalid(field, "there is no such field")
	case strings.Contains(text, "duplicate field"):
		return fault.Invalid(field, "it stands there twice")
	case strings.Contains(text, "invalid UTF-8"):
		return fault.Invalid(field, "it is not UTF-8")
	case strings.Contains(text, "google.protobuf.Duration"):
		return fault.Invalid(field, `it is not a duration such as "1.5s"`)
	case field == "":
		return fault.Invalid("", "the message is not a JSON object")
	}
	return fault.Invalid(field, "its value is of the wrong type")
}

// offset finds the byte that text's "(line L:C)" points to; columns count characters.
func offset(data []byte, text string) int {
	m := position.FindStringSubmatch(text)
	if m == nil {
		return len(data)
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	at := 0
	for ; line > 1; line-- {
		at += bytes.IndexByte(data[at:], '\n') + 1
	}
	for i := range string(data[at:]) {
		if column--; column == 0 {
			return at + i
		}
	}
	return len(data)
}

// fieldAt is the path of the last member that begins at or before the offset, such as "report.score.value".
func fieldAt(data []byte, at int) string {
	dec := json.NewDecoder(bytes.NewReader(data))
	var path []string // the member at each depth of objects; arrays count for nothing
	var objects []bool
	key := false // the next string is a member's name
	for {
		token, err := dec.Token()
		if err != nil {
			return strings.Join(path, ".")
		}
		start := int(dec.InputOffset())
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{':
				if start > at+1 {
					return strings.Join(path, ".")
				}
				objects, path, key = append(objects, true), append(path, ""), true
				continue
			case '[':
				objects = append(objects, false)
				key = false
				continue
			case '}':
				path = path[:len(path)-1]
				objects = objects[:len(objects)-1]
			case ']':
				objects = objects[:len(objects)-1]
			}
			key = len(objects) > 0 && objects[len(objects)-1]
		case string:
			if key {
				if start-len(t)-2 > at {
					return trim(path)
				}
				path[len(path)-1], key = t, false
				continue
			}
			key = len(objects) > 0 && objects[len(objects)-1]
		default:
			key = len(objects) > 0 && objects[len(objects)-1]
		}
		if start > at {
			return trim(path)
		}
	}
}

func trim(path []string) string { return strings.TrimSuffix(strings.Join(path, "."), ".") }
