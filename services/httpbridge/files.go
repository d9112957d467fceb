package httpbridge

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"path"

	"github.com/scoreflow/scoreflow/pkg/fault"
	contract "github.com/scoreflow/scoreflow/proto"
	scorev1 "github.com/scoreflow/scoreflow/proto/scoreflow/v1"
	"github.com/scoreflow/scoreflow/services/httpbridge/console"
)

// file is something that is served as it is.
type file struct {
	contentType string
	etag        string
	body        []byte
	page        bool // for browsers to show, and not to do anything else with
}

func newFile(contentType string, body []byte, page bool) file {
	sum := sha256.Sum256(body)
	return file{contentType: contentType, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, body: body, page: page}
}

// addFiles adds the routes of the documents and of the console.
func addFiles(routes map[string]route) {
	routes["GET /openapi.yaml"] = newFile("application/yaml", contract.OpenAPI, false).serve
	routes["GET /asyncapi.yaml"] = newFile("application/yaml", contract.AsyncAPI, false).serve
	types := map[string]string{".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
	files := map[string]file{}
	for name, body := range console.Files() {
		files[name] = newFile(types[path.Ext(name)], body, true)
	}
	page := files[console.Page]
	delete(files, console.Page)
	routes["GET /{$}"] = page.serve
	routes["GET /console/{file}"] = func(w http.ResponseWriter, r *http.Request) error {
		f, ok := files[r.PathValue("file")]
		if !ok {
			return fault.New(scorev1.Code_NOT_FOUND, "the console has no such file")
		}
		return f.serve(w, r)
	}
}

// serve gives the file to whoever has not got it yet: it may be kept, but is asked for each time, so that no one is left with an old one.
func (f file) serve(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Etag", f.etag)
	if f.page {
		h.Set("Content-Security-Policy", console.Policy)
		h.Set("Referrer-Policy", "no-referrer")
	}
	if known := r.Header["If-None-Match"]; len(known) > 0 && matches(known, f.etag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	write(w, http.StatusOK, f.contentType, f.body)
	return nil
}
