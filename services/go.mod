module github.com/scoreflow/scoreflow/services

go 1.26.0

require (
	github.com/scoreflow/scoreflow/pkg v0.0.0
	github.com/scoreflow/scoreflow/proto v0.0.0
)

require (
	github.com/bits-and-blooms/bitset v1.24.4 // indirect
	github.com/failsafe-go/failsafe-go v0.9.8 // indirect
	github.com/maypok86/otter/v2 v2.4.0 // indirect
	go.uber.org/multierr v1.10.0 // indirect
	go.uber.org/zap v1.28.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace (
	github.com/scoreflow/scoreflow/pkg => ../pkg
	github.com/scoreflow/scoreflow/proto => ../proto
)
