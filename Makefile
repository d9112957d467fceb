# `make` says what there is. Go, gcc, make and git are all that is needed; the other tools build themselves, once.

VERSION  := $(shell git describe --always --dirty 2>/dev/null)
LDFLAGS  := -X github.com/scoreflow/scoreflow/pkg/daemon.version=$(VERSION)
MODULES  := proto pkg services
TOOLS    := bin/tools
STORE    ?= data
FUZZTIME ?= 30s
SOAK     ?= 10m

.DEFAULT_GOAL := help
.PHONY: help run build test outside check lint generate bench soak fuzz tools clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## run everything in one process, with its data in data/ (STORE=...)
	bin/scoreflow dev --store $(STORE)

build: ## build the binaries into bin/
	go build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./services/cmd/...

test: ## run all tests, race detector on
	go test -race work

outside: ## test with programs that have to be installed: the console in Chromium, the tour of the README with curl
	go test -race -count 1 -tags outside ./services/httpbridge/console
	go test -race -count 1 -tags outside -run '^TestTheTourOfTheREADME$$' ./services/e2e

check: lint test ## what has to pass

lint: tools ## formatting, vet, staticcheck, the contract and its generated code, the modules, the import rules
	@echo gofumpt; unformatted=$$($(TOOLS)/gofumpt -l $(MODULES)); test -z "$$unformatted" || { echo "$$unformatted"; exit 1; }
	go vet work
	go vet -tags outside ./services/e2e ./services/httpbridge/console
	$(TOOLS)/staticcheck work
	$(TOOLS)/staticcheck -tags outside ./services/e2e ./services/httpbridge/console
	$(TOOLS)/buf lint
	@echo buf generate, compared; out=$$(mktemp -d) && $(TOOLS)/buf generate -o $$out && \
		diff -r -x '*.proto' $$out/proto/scoreflow proto/scoreflow && rm -r $$out
	@for module in $(MODULES); do echo go mod tidy -diff, $$module; (cd $$module && GOWORK=off go mod tidy -diff) || exit 1; done
	go test -run '^TestImports' ./services

generate: tools ## generate the Go code of the contract
	$(TOOLS)/buf generate

bench: ## measure, each figure as a ratio to its floor
	go -C services/bench test -count 1 -timeout 30m -full

soak: ## break things at random for a long time (SOAK=10m)
	go test -race -count 1 -v -timeout 0 -run '^TestSoak' ./services/e2e -soak $(SOAK)

fuzz: ## fuzz each decoder for a while (FUZZTIME=30s)
	@for file in $$(grep -rlE '^func Fuzz' --include '*_test.go' $(MODULES)); do \
		for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/p' $$file); do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file) || exit 1; \
		done; \
	done

tools: $(TOOLS)/.installed ## build the tools of tools/go.mod into bin/tools

$(TOOLS)/.installed: tools/go.mod tools/go.sum
	cd tools && GOWORK=off GOBIN=$(abspath $(TOOLS)) go install tool
	touch $@

clean: ## remove what was built; the data stays
	rm -rf bin
