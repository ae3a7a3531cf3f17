# make run    builds Caddy with the module and starts the demo (PORT=8080)
# make test   installs what the tests need, checks the code, runs every test
# make build  Caddy with the module, as .run/bin/caddy
# make bench  measures what the gateway costs, into docs/bench.md (up to an hour;
#             ROUNDS=2 SECONDS=1 SESSIONS=1000 OUT=.run/bench.md for a look)
# make clean  removes .run, where all of this keeps its caches and data
#
# RACE="./store/... ./challenge/..." runs these packages once more, with the
# race detector. GOCACHE and GOMODCACHE are used where they are set.

SHELL       := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

PORT        ?= 8080
PACKAGES    ?= ./...
RACE        ?=
TESTTIMEOUT ?= 40m
ROUNDS      ?= 10
SECONDS     ?= 4
SESSIONS    ?= 100000
OUT         ?= docs/bench.md

RUN := $(CURDIR)/.run

# Nothing is written outside this folder, and no home is needed.
export GOCACHE         ?= $(RUN)/go-build
export GOMODCACHE      ?= $(RUN)/go/pkg/mod
export GOPATH          := $(RUN)/go
export XDG_CACHE_HOME  := $(RUN)/cache
export XDG_CONFIG_HOME := $(RUN)/config
export XDG_DATA_HOME   := $(RUN)/data

# Module files stay removable, and a clone that belongs to another user builds.
export GOFLAGS := $(strip $(GOFLAGS) -modcacherw -buildvcs=false)

# Some programs refuse to start without a home.
ifneq ($(shell test -n "$${HOME:-}" && test -w "$${HOME:-}" && echo usable),usable)
export HOME := $(RUN)/home
endif

.PHONY: build run test bench check clean folders patience

patience:
	@[ -e "$(RUN)/bin/caddy" ] || echo "The first build fetches and compiles Caddy: some minutes, and about 2 GB in .run."

build: folders
	go build -o "$(RUN)/bin/caddy" ./cmd/caddy

run: export PORT := $(PORT)
run: patience build
	go build -o "$(RUN)/bin/demo" ./internal/demo
	exec "$(RUN)/bin/demo"

test: check
	go run ./internal/testcount -o "$(RUN)/test-count" \
		-count=1 -timeout $(TESTTIMEOUT) $(PACKAGES) $(if $(RACE),-- -race -count=1 -timeout $(TESTTIMEOUT) $(RACE))

bench: build
	go build -o "$(RUN)/bin/bench" ./internal/bench
	exec "$(RUN)/bin/bench" -caddy "$(RUN)/bin/caddy" -dir "$(RUN)/bench" -out "$(OUT)" \
		-rounds $(ROUNDS) -seconds $(SECONDS) -sessions $(SESSIONS)

check: folders
	.ci/packages
	.ci/axe
	@unformatted=$$(find . -name '.?*' -prune -o -name '*.go' -exec gofmt -l {} +); \
		if [ -n "$$unformatted" ]; then echo "not as gofmt writes it:"; echo "$$unformatted"; exit 1; fi
	go vet ./...

clean:
	rm -rf "$(RUN)"

folders:
	@mkdir -p "$(RUN)/bin" "$(RUN)/home"
