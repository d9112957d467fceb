package webhook

import (
	"fmt"
	"os"

	"github.com/goccy/go-yaml"
)

// Static is an endpoint that the configuration names. It is stored when the service starts; one that the API has deleted comes back.
type Static struct {
	ID      string `yaml:"id"`
	URL     string `yaml:"url"`
	Payload string `yaml:"payload"` // thin or full; default thin
	Secret  string `yaml:"secret"`  // whsec_ and 24 to 64 bytes in base64; another one than before rotates
}

// ReadFile reads a YAML file with a list of endpoints.
func ReadFile(path string) ([]Static, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("webhook endpoints: %w", err)
	}
	var all []Static
	if err := yaml.UnmarshalWithOptions(data, &all, yaml.Strict()); err != nil {
		// Without the excerpt that the library adds: there are secrets in the file.
		return nil, fmt.Errorf("webhook endpoints: %s: %s", path, yaml.FormatError(err, false, false))
	}
	return all, nil
}
