# The commands of the project. What each does is in packaging/dev; a recipe here only calls it.
#
# `make run` and `make test` install what they need on Debian and Ubuntu; elsewhere they say what to install.

SHELL := /bin/bash
CARGO ?= cargo
DEV := packaging/dev

.DEFAULT_GOAL := help
.PHONY: help run test test-vm test-attacks lint fmt bench build packages lint-packages image setup generate check-generated clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build, then watch this machine: detections appear in the terminal, Ctrl-C stops
	@$(DEV)/run.sh

test: ## Everything that has to hold: formatting, lints, tests, end-to-end tests
	@$(DEV)/test.sh all

test-vm: ## Boot other kernels in guests (QEMU, no KVM needed) and run the tests there
	@$(DEV)/setup.sh vm
	@integration-tests/vm/test-kernels.sh $(KERNELS)

test-attacks: ## Do in a guest what attackers do, and see what is reported (needs the shared set)
	@$(DEV)/setup.sh vm
	@integration-tests/vm/test-attacks.sh $(KERNELS)

lint: ## Formatting, clippy, clang-format and cargo-deny only
	@$(DEV)/test.sh lint

fmt: ## Format the Rust and the C sources
	$(CARGO) fmt --all
	find bpf integration-tests -name '*.[ch]' -print0 | xargs -0 --no-run-if-empty clang-format -i

bench: build ## Run the benchmarks; that of the overhead needs root
	$(CARGO) bench --workspace --benches --locked
	$(CARGO) bench --manifest-path security-agent/secl/comparison/Cargo.toml --target-dir target/comparison --locked

build: ## Build both processes with optimisation, into target/release
	@$(DEV)/setup.sh build
	$(CARGO) build --release --locked -p system-probe -p security-agent

packages: ## Build the deb, the rpm and the tarball, into target/packages
	@packaging/package/build.sh

lint-packages: packages ## Check them with lintian and rpmlint, and that all hold the same files
	@packaging/package/check.sh

image: ## Build the container image, cws-agent:VERSION
	@packaging/docker/build.sh

setup: ## Install what building and testing need
	@$(DEV)/setup.sh test

generate: ## Rewrite the committed files that derive from the code
	@$(DEV)/generated.sh write

check-generated: ## Compare them to what the code says
	@$(DEV)/generated.sh check

clean: ## Remove what was built
	$(CARGO) clean
