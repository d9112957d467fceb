package dev

import (
	"time"

	"github.com/scoreflow/scoreflow/pkg/product"
)

// demoProducts are the products that the demo backend at addr calculates, one of each kind of backend.
func demoProducts(addr string) product.Catalog {
	return product.Catalog{
		"credit": {Backend: product.Backend{Kind: product.HTTP, URL: "http://" + addr + "/credit"}},
		"report": {Backend: product.Backend{Kind: product.HTTPCallback, URL: "http://" + addr + "/report"}, Expected: 15 * time.Second},
	}.WithDefaults()
}
