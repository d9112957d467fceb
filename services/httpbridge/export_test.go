package httpbridge

import (
	"maps"
	"net/http"
	"slices"
)

// Patterns is the patterns of all routes.
func (s *Service) Patterns() []string {
	all := patterns(slices.Collect(maps.Keys(s.routes())))
	if s.webhooks != nil {
		s.webhooks.Routes(&all, nil, nil)
	}
	return all
}

type patterns []string

func (p *patterns) HandleFunc(pattern string, _ func(http.ResponseWriter, *http.Request)) {
	*p = append(*p, pattern)
}
