# s3levelfs: `make demo` shows it, `make test` proves it. Both install what is missing.

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO          ?= go
BIN         := $(CURDIR)/bin
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
MODULE      := github.com/s3levelfs/s3levelfs
LDFLAGS     := -s -w -X $(MODULE)/cmd/s3levelfs/internal/cmdline.Version=$(VERSION)
LINT        := $(BIN)/golangci-lint
LINT_VERSION := v2.15.0
PREFIX      ?= /usr/local
SOURCES     := $(shell find . -name '*.go' -not -path './bin/*') go.mod go.sum

# Programs that tests run, and the Debian packages that hold them.
TEST_PACKAGES := fusermount3:fuse3 git:git rsync:rsync sqlite3:sqlite3 restic:restic gcc:gcc vim:vim-tiny unshare:util-linux setfattr:attr node:nodejs npm:npm zsh:zsh fish:fish man:man-db

# The real Amplify clients, each major version with its own core. A directory with a dot is none of Go's, whatever the packages hold.
AMPLIFY := $(BIN)/.amplify

# install-packages installs the packages of "program:package" words whose program is missing.
define install-packages
	missing=""; \
	for word in $(1); do command -v "$${word%%:*}" >/dev/null || missing="$$missing $${word##*:}"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing"; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq; DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
endef

.PHONY: help demo build install docs lint fmt test ci race fuzz bench bench-peers soak clean deps test-deps test-amplify

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps:
	@$(call install-packages,fusermount3:fuse3)

test-deps:
	@$(call install-packages,$(TEST_PACKAGES))
	@$(MAKE) --no-print-directory $(AMPLIFY)/installed $(AMPLIFY)/v6/installed

$(AMPLIFY)/installed: tests/amplify/client/package.json tests/amplify/client/package-lock.json
	@mkdir -p $(AMPLIFY)
	@cp tests/amplify/client/package.json tests/amplify/client/package-lock.json $(AMPLIFY)/
	@echo "installing the Amplify clients"
	@cd $(AMPLIFY) && npm ci --no-audit --no-fund --loglevel=error --ignore-scripts >/dev/null
	@touch $@

$(AMPLIFY)/v6/installed: tests/amplify/client/v6/package.json tests/amplify/client/v6/package-lock.json
	@mkdir -p $(AMPLIFY)/v6
	@cp tests/amplify/client/v6/package.json tests/amplify/client/v6/package-lock.json $(AMPLIFY)/v6/
	@echo "installing the Amplify client of version 6"
	@cd $(AMPLIFY)/v6 && npm ci --no-audit --no-fund --loglevel=error --ignore-scripts >/dev/null
	@touch $@

test-amplify: test-deps ## the real Amplify clients against the mount
	$(GO) test -race -shuffle=on -count=1 ./tests/amplify

build: $(BIN)/s3levelfs ## build the program into bin/

$(BIN)/s3levelfs: $(SOURCES)
	@mkdir -p $(BIN)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./cmd/s3levelfs

demo: deps build ## build, mount on the embedded S3, show the levels
	@bash tests/demo.sh $(BIN)/s3levelfs

install: build ## install into $(PREFIX): the program, its manual page and its completions
	install -D -m 0755 $(BIN)/s3levelfs $(DESTDIR)$(PREFIX)/bin/s3levelfs
	install -D -m 0644 docs/s3levelfs.1 $(DESTDIR)$(PREFIX)/share/man/man1/s3levelfs.1
	install -D -m 0644 cmd/s3levelfs/app/completion/s3levelfs.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/s3levelfs
	install -D -m 0644 cmd/s3levelfs/app/completion/s3levelfs.zsh $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_s3levelfs
	install -D -m 0644 cmd/s3levelfs/app/completion/s3levelfs.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/s3levelfs.fish

docs: ## write the documents that are made of tables: the manual page, docs/AMPLIFY.md
	@mkdir -p $(BIN)
	$(GO) run ./cmd/s3levelfs man >$(BIN)/.new && mv $(BIN)/.new $(CURDIR)/docs/s3levelfs.1
	$(GO) run ./tests/docs/amplify >$(BIN)/.new && mv $(BIN)/.new $(CURDIR)/docs/AMPLIFY.md

$(LINT):
	@mkdir -p $(BIN)
	GOBIN=$(BIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

lint: $(LINT) ## structure, style and correctness rules
	$(LINT) run ./...
	$(LINT) fmt --diff ./...
	$(GO) mod tidy -diff
	@for example in examples/*/; do \
	  echo "$$example"; (cd $$example && $(LINT) run ./... && $(LINT) fmt --diff ./... && $(GO) mod tidy -diff) || exit 1; \
	done

fmt: $(LINT) ## format the sources
	$(LINT) fmt ./...

test: test-deps ## all tests, with the race detector, in random order
	$(GO) test -race -shuffle=on -count=1 -timeout 20m ./...

race: test ## the same as test

FUZZTIME ?= 10s
fuzz: ## each fuzz target for FUZZTIME (10s)
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg 2>/dev/null | grep '^Fuzz' || true); do \
	    echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$pkg; \
	  done; \
	done

bench: test-deps ## Go benchmarks, and the tests that count requests
	$(GO) test -run '^Test(Requests|RequestCounts|KernelRequests|BaseIsFetchedInFewRequests|UnchangedAttributesCostNothing|\w+Costs?)$$' -bench . -benchmem ./...

BENCH_FS ?= raw-s3,s3fs,rclone-full,s3levelfs
bench-peers: deps build ## the harness on this program and its peers (BENCH_FS); writes the table of README.md; about 30 minutes
	@bash tests/bench/peers.sh $(BIN)/s3levelfs --fs $(BENCH_FS)

SOAK_ROUNDS  ?= 100
SOAK_OUTAGE  ?= 40s
SOAK_HISTORY ?= 10m
SOAK_CHAOS   ?= 5m
SOAK_FILES   ?= 100000
SOAK_NAMES   ?= 1000000
SOAK_LARGE   ?= 1GiB,10GiB
SOAK_REPLACED ?= 1000
SOAK_CHURN   ?= 1h
SOAK_WARM    ?= 1GiB
SOAK_PUT     ?= 1GiB
SOAK_LOGIN   ?= 10m
soak: test-deps ## the long forms: SOAK_ROUNDS of kill -9 (100), logs damaged at every byte, an outage of SOAK_OUTAGE (40s), histories of SOAK_HISTORY (10m), chaos for SOAK_CHAOS (5m), SOAK_FILES small files (100000), a directory of SOAK_NAMES files (1000000) and one of 100,000 with each answer 20 ms late, objects of SOAK_LARGE (1GiB,10GiB; 30 GiB of /tmp), SOAK_REPLACED objects replaced while they are read (1000), changes under readers for SOAK_CHURN (1h), a warm file of SOAK_WARM (1GiB), a put of SOAK_PUT (1GiB) killed 20 times, tokens that end each minute under a load for SOAK_LOGIN (10m); well over two hours
	S3LEVELFS_CRASH_ROUNDS=$(SOAK_ROUNDS) $(GO) test -count=1 -timeout 40m -v -run 'TestKillNine' ./tests/crash
	S3LEVELFS_CRASH_ROUNDS=$(SOAK_ROUNDS) $(GO) test -count=1 -timeout 40m -v -run 'AtEveryByte|AtEveryLogFrame' ./uploader
	$(GO) test -count=1 -timeout 20m -v -run 'TestPowerLoss|TestKillAtAnyEvent' ./uploader/... -rapid.checks=3000
	S3LEVELFS_OUTAGE=$(SOAK_OUTAGE) $(GO) test -count=1 -timeout 20m -v -run 'Outage' ./tests/faults
	S3LEVELFS_HISTORY=$(SOAK_HISTORY) $(GO) test -count=1 -timeout 60m -v -run '^TestHistory' ./tests/history ./tests/faults
	S3LEVELFS_CHAOS=$(SOAK_CHAOS) $(GO) test -count=1 -timeout 30m -v -run '^TestChaos' ./tests/faults
	S3LEVELFS_FILES=$(SOAK_FILES) $(GO) test -count=1 -timeout 60m -v -run '^TestManySmallFiles' ./tests/faults
	S3LEVELFS_NAMES=$(SOAK_NAMES) $(GO) test -count=1 -timeout 20m -v -run '^TestMillion' ./fs/vfs/listing
	S3LEVELFS_NAMES=$(SOAK_NAMES) $(GO) test -count=1 -timeout 30m -v -run '^TestNamesInOneDirectory' ./tests/faults
	S3LEVELFS_NAMES=100000 S3LEVELFS_DELAY=20ms $(GO) test -count=1 -timeout 30m -v -run '^TestNamesInOneDirectory' ./tests/faults
	S3LEVELFS_LARGE=$(SOAK_LARGE) $(GO) test -count=1 -timeout 60m -v -run '^TestSmallChanges' ./tests/faults
	S3LEVELFS_PUT=$(SOAK_PUT) $(GO) test -count=1 -timeout 20m -v -run '^TestPutKilled' ./tests/script
	S3LEVELFS_LOGIN=$(SOAK_LOGIN) $(GO) test -count=1 -timeout 60m -v -run '^TestLoginUnderLoad' ./tests/script
	S3LEVELFS_REPLACED=$(SOAK_REPLACED) S3LEVELFS_CHURN=$(SOAK_CHURN) S3LEVELFS_WARM=$(SOAK_WARM) $(GO) test -count=1 -timeout 3h -v ./tests/churn

ci: lint test ## what .ci/run runs

clean: ## remove what was built
	rm -rf $(BIN)
