# Targets of this repository; CI calls them and nothing else. `make` lists them.

GO     ?= go
TOOL    = $(GO) tool -modfile=tools/go.mod
# Systems and processors that must build, besides the one at hand.
TARGETS = windows/amd64 darwin/arm64 freebsd/amd64 linux/386 linux/arm64 linux/s390x js/wasm
COUNT  ?= 10
FUZZTIME ?= 20s
FUZZSHOW ?= 2
DURATION ?= 1h
SEED   ?= 1000
SEEDS  ?= 200

# bench/peers is a module of its own, with the engines that it compares. LMDB is part of it where its header file is.
PEERS  = bench/peers
PTOOL  = $(GO) tool -modfile=../../tools/go.mod
LMDB   = $(shell $$($(GO) env CC) -E -include lmdb.h -x c /dev/null >/dev/null 2>&1 && echo '-tags lmdb')
NOLMDB = echo "no lmdb.h: without LMDB (Debian and Ubuntu: apt-get install liblmdb-dev)"
ARGS  ?=

.PHONY: help check fmt vet lint tidy cross test race crash fuzz reliability reliability-ci soak golden cover bench bench-compare pictures peers bench-peers

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

check: fmt vet lint tidy cross ## what must hold before a commit: format, vet, lint, house rules, other systems

fmt: ## fail on files that gofumpt would change
	@files=$$($(TOOL) gofumpt -l .); test -z "$$files" || { echo "not formatted (run: $(TOOL) gofumpt -w .):"; echo "$$files"; exit 1; }

vet: ## go vet
	$(GO) vet ./...

lint: ## staticcheck
	$(TOOL) staticcheck ./...

tidy: ## house rules: import directions, comments, leftovers; go.mod as `go mod tidy` leaves it
	$(GO) test ./internal/tidy
	$(GO) mod tidy -diff

cross: ## build and vet for other systems
	@for t in $(TARGETS); do echo "vet $$t"; GOOS=$${t%/*} GOARCH=$${t#*/} CGO_ENABLED=0 $(GO) vet ./... || exit 1; done

test: ## all tests
	$(GO) test ./...

# Tests in which one goroutine does everything, thousands of times over, or whose memory is measured, which the race detector changes; and those in which
# the program is started hundreds of times, or a browser does most of the work. `make test` runs them; TestEngine has a browser under the race detector, too.
ALONE = ^(TestCrash_Every.*|TestCompressed_EveryFlippedBit.*|TestCompressed_TableEquals.*|TestReader_EveryFlippedBit.*|TestReader_HostileFiles.*|TestSalvage_PutsAnyFlippedBit.*|TestSalvage_TellsOf.*|TestVerify_ReportsEveryFlippedBit|TestMemory_AStoreLarger.*|TestFailed_WhicheverCallFailsTheStoreKeepsItsWord|TestDamage_.*|TestHostile_.*|TestStories|TestAPI_Examples.*|TestPage_InABrowser|TestLearn_InABrowser)$$

race: ## the tests under the race detector, in their short form, but for those that gain nothing by it
	$(GO) test -race -short -timeout 20m -skip '$(ALONE)' $$($(GO) list ./... | grep -v /internal/tidy)

crash: ## the crash, kill and model tests with more images and over many seeds (SEEDS=200)
	$(GO) test -run 'TestCrash|TestHistory' -images 6 -seed $$RANDOM$$RANDOM -seeds $(SEEDS) -timeout 2h .
	$(GO) test -run 'TestKill' -count $(COUNT) -timeout 2h .

# Minimising an input of FuzzEngine takes long, and its background work makes it futile.
# Up to Go 1.26, at the end of its time, `go test -fuzz` now and then fails by "context deadline exceeded" alone, without an input
# that fails (https://go.dev/issue/75804): then, and only then, a target is run again.
fuzz: ## every fuzz target of every package, one after the other, for FUZZTIME=20s each
	@for p in $$(grep -rl --include='*_test.go' --exclude-dir=peers '^func Fuzz' . | xargs -n1 dirname | sort -u); do \
		for f in $$($(GO) test $$p -list '^Fuzz' | grep '^Fuzz'); do \
			for try in 1 2 3; do \
				echo "fuzz $$p $$f"; \
				out=$$($(GO) test $$p -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x 2>&1) && break; \
				case "$$out" in *"Failing input"*) try=3;; *"context deadline exceeded"*) ;; *) try=3;; esac; \
				echo "$$out"; test $$try -lt 3 || exit 1; \
			done; echo "$$out" | tail -$(FUZZSHOW); done; done

reliability: ## every suite of faults, crashes and damage in full, an hour or less; writes the table of docs/RELIABILITY.md
	$(GO) run ./reliability

reliability-ci: ## the same suites, as much of them as continuous integration runs
	$(GO) run ./reliability -amount ci -fuzz 0

soak: ## the seeded suites again and again, each time with another seed: make soak SEED=1000 DURATION=24h
	$(GO) run ./reliability -amount ci -soak $(DURATION) -seed $(SEED)

golden: ## rewrite the expected output of data-driven tests; read the difference
	$(GO) test ./compaction -update

cover: ## statement coverage of the engine by all its tests
	$(GO) test -short -coverprofile=cover.out -coverpkg=./,./vfs,./internal/key,./internal/batchrepr,./internal/iterator,./internal/corrupt,./internal/offheap,./memtable,./wal,./sstable,./manifest,./compaction ./...
	$(GO) tool cover -func=cover.out | tail -1

bench: ## the Go benchmarks, COUNT=10 times
	$(GO) test -run '^$$' -bench . -count $(COUNT) . ./memtable ./sstable | tee bench.out

bench-compare: ## benchstat of two runs: make bench-compare OLD=old.out NEW=bench.out
	$(TOOL) benchstat $(OLD) $(NEW)

peers: TAGS = $(LMDB)
peers: ## all of check and test for bench/peers, a module of its own, with LMDB where its header file is
	@test -n "$(TAGS)" || $(NOLMDB)
	@cd $(PEERS) && files=$$($(PTOOL) gofumpt -l .); test -z "$$files" || { echo "not formatted in $(PEERS):"; echo "$$files"; exit 1; }
	cd $(PEERS) && $(GO) vet ./...
	test -z "$(TAGS)" || { cd $(PEERS) && $(GO) vet $(TAGS) ./...; }
	cd $(PEERS) && $(PTOOL) staticcheck $(TAGS) ./...
	cd $(PEERS) && $(GO) mod tidy -diff
	cd $(PEERS) && $(GO) test $(TAGS) ./...
	cd $(PEERS) && $(GO) test -race -run 'GoesOn|KillTakes|Specs|Groups' ./contest

pictures: ## the pictures of README.md, by the tests of the page (needs chromium)
	$(GO) test ./server/web -run TestEngine -args -pictures $(CURDIR)/docs/pictures

bench-peers: TAGS = $(LMDB)
bench-peers: ## tinykv beside other engines: make bench-peers ARGS="-quick"; ARGS=-help lists the flags
	@test -n "$(TAGS)" || $(NOLMDB)
	cd $(PEERS) && $(GO) run $(TAGS) . $(ARGS)
