# The commands a person and CI use. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
DEMO_DIR ?= .demo
TARGET = $(or $(CARGO_TARGET_DIR),target)
# helm of the system, or the one that .ci/setup built.
HELM ?= $(or $(shell command -v helm 2>/dev/null),$(wildcard $(abspath $(TARGET)/tools/helm)))
PROFILE ?= release
REGISTRY ?= 127.0.0.1:5000
FUZZ_SECONDS ?= 600

.PHONY: help setup demo test lint fmt bench fuzz images chart man reference test-cluster bench-cluster clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: ## Install the system packages that building and testing need
	@.ci/setup build test lint

demo: ## Build, start the platform, push a sample app with git and show it answering (DEMO_EXIT=1 stops it then)
	@.ci/setup build demo
	$(CARGO) build --bin slipway
	@tests/support/demo "$(DEMO_DIR)" target/debug/slipway

test: ## Everything that needs no cluster
	@.ci/setup build test
	$(CARGO) build --workspace --bins
	$(CARGO) test --workspace --no-fail-fast
	@$(MAKE) --no-print-directory chart

lint: ## Formatting, clippy, documentation, and our own rules
	@.ci/setup build lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	@for target in $$(rustup target list --installed 2>/dev/null | grep -E 'windows|apple'); do \
	   echo "the command line for $$target"; \
	   $(CARGO) check --quiet --target $$target -p slipway --no-default-features || exit 1; \
	 done
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" $(CARGO) doc --workspace --no-deps --document-private-items
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny check bans licenses sources; \
	 else echo "cargo-deny is not installed: deny.toml was not checked (cargo install cargo-deny)"; fi

test-cluster: ## Install the platform in a real cluster from images just built, and test it there (skipped without one)
	@HELM="$(HELM)" CARGO="$(CARGO)" tests/cluster/run

bench-cluster: ## Measure what is promised for clusters: 10,000 apps on a scripted API server, and against kubectl on a real one
	@.ci/setup build
	$(CARGO) build --release -p slipway-controller
	$(CARGO) build --release -p slipway-cluster --example scripted_api_server
	$(CARGO) build --release -p slipway-store --example fill
	@failed=0; \
	 tests/bench/cluster $(TARGET)/release/slipway-controller $(TARGET)/release/examples/scripted_api_server \
	     $(TARGET)/release/examples/fill || failed=1; \
	 HELM="$(HELM)" CARGO="$(CARGO)" PROFILE=release tests/cluster/run --bench || failed=1; \
	 exit $$failed

chart: ## Lint the Helm chart, compare what it renders, check that against Kubernetes' schemas
	@.ci/setup chart
	@helm="$(HELM)"; helm=$${helm:-$(abspath $(TARGET)/tools/helm)}; \
	 if [ -x "$$helm" ]; then HELM=$$helm charts/test; else echo "helm is not installed: the chart was not tested"; fi

fmt: ## Format the code
	$(CARGO) fmt --all

man: ## Write the manual pages of the commands into target/man
	@.ci/setup build
	$(CARGO) run --quiet -p slipway --no-default-features -- man "$(TARGET)/man"

reference: ## Write the reference of the command line into docs/reference
	@.ci/setup build
	$(CARGO) run --quiet -p slipway -- reference docs/reference

bench: ## Measure what the project promises, against git, OpenSSH and nginx on this machine
	@.ci/setup build bench
	$(CARGO) build --release --bins
	$(CARGO) build --release -p slipway-store --examples
	$(CARGO) build --release -p slipway --no-default-features --target-dir target/client
	@tests/bench/run

images: ## Build all images from Debian's packages with buildah and push them (PROFILE=release REGISTRY=127.0.0.1:5000)
	@.ci/setup build images
	$(CARGO) build --profile $(PROFILE) --bins
	@REGISTRY=$(REGISTRY) charts/images/build $(PROFILE)

fuzz: ## Try hostile configurations, Procfiles, certificates and host names (FUZZ_SECONDS each)
	@.ci/setup build
	@fuzz/run $(FUZZ_SECONDS)

schemathesis: ## Try every operation of the API with generated requests, on both databases (SCHEMATHESIS_ARGS)
	@.ci/setup build test
	$(CARGO) build --bin slipway
	tests/support/schemathesis "$(TARGET)/schemathesis/sqlite" $(TARGET)/debug/slipway $(SCHEMATHESIS_ARGS)
	tests/support/postgresql.py tests/support/schemathesis "$(TARGET)/schemathesis/postgresql" $(TARGET)/debug/slipway $(SCHEMATHESIS_ARGS)

clean: ## Remove what was built, and the demo's data
	$(CARGO) clean
	rm -rf "$(DEMO_DIR)"
