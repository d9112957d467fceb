// Package console is the page that the HTTP bridge serves at its root: a small console in plain HTML, CSS and ES modules, without a build step. It
// uses the same routes as everybody else, by relative URLs, so that it works behind a path of a proxy, too.
package console

import "embed"

//go:embed static
var static embed.FS

// Page is the file that is the page; the others are what it is made of.
const Page = "index.html"

// Policy is the Content-Security-Policy of the page: nothing inline, and nothing from or to elsewhere.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Files is all files by their names.
func Files() map[string][]byte {
	files := map[string][]byte{}
	entries, err := static.ReadDir("static")
	for _, e := range entries {
		if files[e.Name()], err = static.ReadFile("static/" + e.Name()); err != nil {
			break
		}
	}
	if err != nil { // of what is in the binary
		panic(err)
	}
	return files
}
