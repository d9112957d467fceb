// Package proto holds the contract for those who do not read Go: scoreflow over HTTP, and over NATS.
package proto

import _ "embed"

// OpenAPI is the OpenAPI document of the HTTP side.
//
//go:embed openapi.yaml
var OpenAPI []byte

// AsyncAPI is the AsyncAPI document of the NATS side.
//
//go:embed asyncapi.yaml
var AsyncAPI []byte
