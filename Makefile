# make           builds libsipbus.so, sipbus-engine and the modules into target/modules/
# make run       installs what is missing and shows an example, EXAMPLE=nats if you name no other
# make test      installs what is missing and runs every test; lint, test-unit, test-model, test-integration are its parts
# make test-memory  a choice of the integration tests with Kamailio under valgrind, MEMORY_TESTS if you name others
# make audit     has cargo-deny ask the list of known faults about the dependencies
# make bench     measures, side by side with the distribution's modules; the table and its picture go into benches/
# make soak      all modules under mixed load for MINUTES (30), their servers restarted meanwhile: what grew, what was lost
# make deb       a Debian package of the same, in target/deb/
# make install   into PREFIX (/usr/local); DESTDIR is put in front of it
#
# KAMAILIO_SRC=/path/to/kamailio builds against that source tree instead of the installed version's. KAMAILIO=/path/to/kamailio,
# a tree that was built or installed, runs the integration tests with it; `kamailio-glue/build/kamailio trixie` makes one,
# `kamailio-glue/build/kamailio sid 6.1.4-1` one of a version that a suite of Debian had.

SHELL := /bin/bash
# Where rustup puts cargo, and Debian the servers: not every user's shell looks there.
export PATH := $(PATH):$(HOME)/.cargo/bin:/usr/sbin
# make sets CC to cc by itself; the shims' default is gcc, as Kamailio's own is.
ifeq ($(origin CC),default)
CC := gcc
endif
export CC

# A built tree has its headers; for one that was installed elsewhere, KAMAILIO_SRC names them.
ifneq ($(wildcard $(KAMAILIO)/src/core/sr_module.h),)
KAMAILIO_SRC ?= $(KAMAILIO)
export KAMAILIO_SRC
endif
export KAMAILIO

PREFIX ?= /usr/local
EXAMPLE ?= nats
MINUTES ?= 30
libdir = $(PREFIX)/lib/sipbus
docdir = $(PREFIX)/share/doc/sipbus

build := kamailio-glue/build
built := target/modules
shims := $(patsubst kamailio-glue/%/,%,$(dir $(wildcard kamailio-glue/*/*_mod.c)))
examples := $(patsubst examples/%/run,%,$(wildcard examples/*/run))
products := libsipbus.so sipbus-engine $(shims:=.so)

# The models of what is in shared memory run under loom: a build of its own, in which loom's types stand for the atomics.
# They are small enough to be explored without optimisation, which takes longer than it saves; most even without
# a bound on preemptions.
model = RUSTFLAGS='--cfg sipbus_loom' cargo test --locked --no-default-features --target-dir target/loom \
	$(patsubst tests/%.rs,--test %,$(wildcard tests/*_model.rs))
# Every file of tests/ but the models, and tests/kafka; tests/it, the other folder, is the integration tier.
unit_tests = $(patsubst tests/%.rs,--test %,$(filter-out tests/%_model.rs,$(wildcard tests/*.rs))) --test kafka
# A server that is missing would skip its tests; where it is required, that is a failure.
required = kamailio,evapi,nats,kazoo,rabbitmq,event_kafka,kafka_module,kafka,sipp,node,python3
# Fetched by .ci/cargo-deny where there is none.
deny = $(firstword $(wildcard target/cargo-deny) cargo-deny) --locked
c_files = $(wildcard include/sipbus_host.h kamailio-glue/*/*.[ch] tests/*/*.c)

all: $(shims:%=shim-%)
	@echo "built $(products) in $(built)/"

need:
	@$(build)/need

rust: need
	@# Two builds: what only the engine needs must not come into a SIP worker's address space.
	@cargo build --release --locked --target-dir target --bin sipbus-engine
	@cargo build --release --locked --target-dir target --lib --no-default-features
	@mkdir -p $(built)
	@# Replaced in one step and only when changed: a running Kamailio has the old ones mapped.
	@for file in libsipbus.so sipbus-engine; do \
		cmp -s target/release/$$file $(built)/$$file || \
		{ cp target/release/$$file $(built)/$$file.new && mv $(built)/$$file.new $(built)/$$file; } || exit 1; \
	done

headers: need
	@$(build)/headers

$(shims:%=shim-%): shim-%: rust headers
	@$(MAKE) --no-print-directory -f $(build)/shim.mk MODULE=$*

run:
	@[ -x examples/$(EXAMPLE)/run ] || { echo "There is no example '$(EXAMPLE)'; there are: $(examples)." >&2; exit 1; }
	@.ci/deps build $(EXAMPLE)
	@$(MAKE) --no-print-directory all
	@exec examples/$(EXAMPLE)/run

deps:
	@.ci/deps

test: deps
	@.ci/tiers lint test-unit test-model test-integration

lint:
	cargo fmt --check
	cargo fmt --check --manifest-path benches/harness/Cargo.toml
	cargo clippy --locked --all-targets -- -D warnings
	cargo clippy --locked --all-targets --manifest-path benches/harness/Cargo.toml --target-dir target -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --quiet
	clang-format --dry-run -Werror $(c_files)
	$(deny) check bans licenses sources

# The list is not on every machine, so this is no part of lint.
audit: deps
	$(deny) check

test-unit:
	cargo test --locked --lib --bins $(unit_tests)
	cargo test --locked --doc

test-model:
	$(model)

# Most tests wait for servers to start: two for each core.
test-integration: all deb
	SIPBUS_REQUIRE=$(required),package cargo test --locked --test it -- --test-threads=$$((2 * $$(nproc)))
	@# The examples show the system's Kamailio.
	@[ -n "$(KAMAILIO)" ] || for example in $(examples); do \
		echo "examples/$$example/run"; \
		examples/$$example/run </dev/null || exit 1; \
	done

# Kamailio under valgrind, in which it takes many times as long: of every module the functions, KEMI, and most of the events, async
# calls, reports and RPC; one reload of certificates; what must hold for every connector, where it sends little. Left out is
# what counts on its pace (load, peers that are stuck or killed, twenty restarts), and what differs in settings only.
# MEMORY_TESTS names others, as cargo test does.
MEMORY_TESTS ?= functions:: kemi:: nats::operations nats::consume::a_request nats::consume::an_event \
	kafka::operations event_kafka::consume::a_record event_kafka::report \
	evapi::operations evapi::events evapi::suspend evapi::resume::a_ \
	kazoo::json::a kazoo::json::hostile kazoo::json::the_transformation kazoo::events::the_first \
	kazoo::async_query::an_answer kazoo::async_query::a_call kazoo::async_query::bad kazoo::query::a_result \
	events::route::the_route events::raise::any_value events::list::subscribers events::transport::one_event \
	conformance::what_was conformance::each_message tls::reload::nats \
	--skip memory_as --skip under_load --skip more_requests

test-memory: deps all
	SIPBUS_REQUIRE=$(required) SIPBUS_VALGRIND=1 SIPBUS_WATCHDOG=600 cargo test --locked --test it -- --test-threads=$$(nproc) $(MEMORY_TESTS)

bench: deps all
	@exec benches/run --figures benches

soak: deps all
	@exec benches/soak/run $(MINUTES)

install:
	@for file in $(products); do \
		[ -f $(built)/$$file ] || { echo "$(built)/$$file is not built yet: run make first." >&2; exit 1; }; \
	done
	@install -d $(DESTDIR)$(libdir) $(DESTDIR)$(docdir)
	@install -m 755 $(addprefix $(built)/,$(products)) $(DESTDIR)$(libdir)/
	@install -m 644 README.md LICENSE $(DESTDIR)$(docdir)/
	@# The manuals lie beside it there.
	@sed -i 's#(kamailio-glue/\([a-z_]*\)/README.md)#(\1.md)#' $(DESTDIR)$(docdir)/README.md
	@for shim in $(shims); do install -m 644 kamailio-glue/$$shim/README.md $(DESTDIR)$(docdir)/$$shim.md || exit 1; done
	@echo "Installed $(products) in $(DESTDIR)$(libdir), the manuals in $(DESTDIR)$(docdir)."
	@echo "To use these modules, kamailio.cfg needs this line before its first loadmodule:"
	@echo "  mpath=\"$(libdir)/:$$($(build)/stock-modules)/\""

deb: all
	@$(build)/deb

uninstall:
	@rm -f $(addprefix $(DESTDIR)$(libdir)/,$(products)) $(addprefix $(DESTDIR)$(docdir)/,README.md LICENSE $(shims:=.md))
	@for folder in $(DESTDIR)$(libdir) $(DESTDIR)$(docdir); do [ ! -d $$folder ] || rmdir --ignore-fail-on-non-empty $$folder; done

clean:
	@rm -rf target

.PHONY: all need rust headers run deps test lint audit test-unit test-model test-integration test-memory bench soak deb install uninstall clean \
	$(shims:%=shim-%)
