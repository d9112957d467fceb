package webhook

import (
	"crypto/x509"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"code.dny.dev/ssrf"

	"github.com/scoreflow/scoreflow/pkg/fault"
)

// Config is the configuration of webhooks.
type Config struct {
	Replicas     int            // of the stores; default 1
	PublicURL    string         // of the bridge, as receivers reach it, for links to results; default: links are paths
	Endpoints    []Static       // that are always there
	Ports        []uint16       // that endpoints may have; default 443 and 8443
	AllowHTTP    bool           // also endpoints without TLS: for development
	AllowPrivate bool           // also endpoints in private networks and on this host, on any port: for development
	RootCAs      *x509.CertPool // that receivers' certificates are checked with; default: the system's
	Policy       Policy         // default StandardPolicy
	Timeout      time.Duration  // of one attempt; default 15 s
	AckWait      time.Duration  // how long after a bridge began an attempt another may take over; default, and at least, twice Timeout
	Overlap      time.Duration  // how long an old secret signs as well; default 24 h
	Concurrency  int            // attempts under way to one endpoint from this bridge; default 16
	MaxEndpoints int            // default 200; see the package comment

	// Attempted is told how each attempt ended, in the words of the log of deliveries; default nobody is.
	Attempted func(outcome string)
}

// WithDefaults fills in what is not set.
func (c Config) WithDefaults() Config {
	if len(c.Ports) == 0 {
		c.Ports = []uint16{443, 8443}
	}
	if len(c.Policy.Delays) == 0 {
		c.Policy = StandardPolicy()
	}
	c.Timeout = or(c.Timeout, 15*time.Second)
	c.AckWait = or(c.AckWait, 2*c.Timeout)
	c.Overlap = or(c.Overlap, 24*time.Hour)
	c.Concurrency = or(c.Concurrency, 16)
	c.MaxEndpoints = or(c.MaxEndpoints, 200)
	if c.Attempted == nil {
		c.Attempted = func(string) {}
	}
	c.Endpoints = slices.Clone(c.Endpoints)
	for i := range c.Endpoints {
		c.Endpoints[i].Payload = or(c.Endpoints[i].Payload, Thin)
	}
	return c
}

// Validate names the first setting that cannot be.
func (c Config) Validate() error {
	switch {
	case c.Timeout <= 0:
		return fmt.Errorf("timeout: %v is not positive", c.Timeout)
	case c.AckWait < 2*c.Timeout:
		return fmt.Errorf("ack_wait: %v is less than twice the timeout of %v", c.AckWait, c.Timeout)
	case c.Overlap < 0:
		return fmt.Errorf("overlap: %v is negative", c.Overlap)
	case c.Concurrency < 1:
		return fmt.Errorf("concurrency: %d is less than 1", c.Concurrency)
	case c.MaxEndpoints < 1:
		return fmt.Errorf("max_endpoints: %d is less than 1", c.MaxEndpoints)
	}
	if u, err := url.Parse(c.PublicURL); err != nil || c.PublicURL != "" && (u.Host == "" || u.RawQuery != "") {
		return fmt.Errorf("public_url: it is not the URL of a host")
	}
	names := map[string]bool{}
	for _, e := range c.Endpoints {
		if !endpointName.MatchString(e.ID) || names[e.ID] {
			return fmt.Errorf("endpoints: %q is not a name of its own of lower-case letters, digits and hyphens, at most 32", e.ID)
		}
		names[e.ID] = true
		if err := c.checkURL(e.URL); err != nil {
			return fmt.Errorf("endpoints.%s: %w", e.ID, err)
		}
		if err := checkPayload(e.Payload); err != nil {
			return fmt.Errorf("endpoints.%s: %w", e.ID, err)
		}
		if err := checkSymmetric(e.Secret); err != nil {
			return fmt.Errorf("endpoints.%s: secret: %w", e.ID, err)
		}
	}
	return nil
}

const maxURL = 2048 // bytes

// checkURL says what is wrong with an endpoint's URL. Where its name leads is checked whenever it is dialled.
func (c Config) checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxURL || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return fault.Invalid("url", "it is not a URL with a host, without user and fragment, of at most %d bytes", maxURL)
	}
	port := u.Port()
	switch {
	case u.Scheme == "https":
		port = or(port, "443")
	case u.Scheme == "http" && c.AllowHTTP:
		port = or(port, "80")
	default:
		return fault.Invalid("url", "it is not https")
	}
	if c.AllowPrivate {
		return nil
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || !slices.Contains(c.Ports, uint16(n)) {
		return fault.Invalid("url", "its port is none of %v", c.Ports)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && ssrf.New().SafeAddr(ip) != nil {
		return fault.Invalid("url", "its address is not a public one")
	}
	return nil
}

func checkPayload(p string) error {
	if p != Thin && p != Full {
		return fault.Invalid("payload", "it is neither %s nor %s", Thin, Full)
	}
	return nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
