package httpbridge

import (
	"bytes"
	"encoding/json"

	"github.com/scoreflow/scoreflow/pkg/wire"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
)

// document is an Answer as the body of an HTTP answer: the JSON of the contract, without the age, which is a header here. So the same answer
// has the same bytes always, as a strong validator demands. The answer loses its age.
func document(a *scorev1.Answer) []byte {
	a.Age = nil
	data, err := wire.JSON.Marshal(a)
	if err != nil { // only text that is not UTF-8 cannot be written, and none gets past a decoder
		panic(err)
	}
	return append(data, '\n')
}

// encode writes v in one line.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // of strings and numbers only
		panic(err)
	}
	return b.Bytes()
}
