# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# `make help` lists the targets. All output goes to build/.

PREFIX  ?= /usr/local
DESTDIR ?=
CC      ?= cc
CLANG   ?= clang
BPFTOOL ?= /usr/sbin/bpftool
CFLAGS  ?= -O2 -g
BUILD   ?= build
SYSROOT ?=
V       ?= 0
VERSION := 0.1.0

# Targets that call make again use all processors, unless -j sets another number.
PARALLEL = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' $(1) $(2);)

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wundef -Wconversion \
        $(if $(CI),-Werror)
ARCH := $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)

# LIBRARY:HEADER:MACRO of each optional library. --version lists the missing ones.
OPTIONAL = inih:ini.h:INIH cap-ng:cap-ng.h:CAP_NG seccomp:seccomp.h:SECCOMP systemd:systemd/sd-daemon.h:SYSTEMD \
           microhttpd:microhttpd.h:MICROHTTPD
include := \#include
field = $(word $(1),$(subst :, ,$(2)))
found = $(shell printf '%s <$(1)>\n' '$(include)' | $(CC) $(CPPFLAGS) -E -x c - >/dev/null 2>&1 && echo yes)
HAVE := $(foreach o,$(OPTIONAL),$(if $(call found,$(call field,2,$(o))),$(o)))
LACK := $(filter-out $(HAVE),$(OPTIONAL))
names = $(foreach o,$(1),lib$(call field,1,$(o)))

# Flags of the agent and of its tests.
# a struct as an anonymous member, by its tag: gcc and clang have it from Plan 9 and Microsoft, Linux from 6.19
TAGGED       = -fms-extensions -Wno-microsoft-anon-tag
AGENT_CFLAGS = -std=gnu11 $(TAGGED) $(WARN) -Iinclude -Iuser -isystem $(BUILD) -D_GNU_SOURCE -DVERSION='"$(VERSION)"' -MMD -MP \
               $(foreach o,$(HAVE),-DHAVE_$(call field,3,$(o))) $(CFLAGS) $(CPPFLAGS)
MAIN_CFLAGS  = -DLIBRARIES='"$(call names,$(HAVE))"' -DMISSING='"$(call names,$(LACK))"'
BPF_CFLAGS   = $(TAGGED) -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -Iinclude -Ibpf \
               $(if $(MULTIARCH),-I$(SYSROOT)/usr/include/$(MULTIARCH)) -Wall -Wextra -Wno-unused-parameter $(if $(CI),-Werror)
AGENT_LIBS   = -lbpf -lelf -lz -ljson-c -lpthread $(foreach o,$(HAVE),-l$(call field,1,$(o)))

USER_SRC := $(filter-out $(if $(findstring :MICROHTTPD,$(HAVE)),,user/outputs/metrics.c user/outputs/scrape.c), \
              $(wildcard user/*.c user/*/*.c))
USER_OBJ := $(USER_SRC:%.c=$(BUILD)/%.o)
CORE_OBJ := $(filter-out $(BUILD)/user/main.o,$(USER_OBJ))
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%) $(BUILD)/tests/names
FLEET    := $(patsubst tools/%,%,$(filter-out %.in,$(wildcard tools/fleet/*.md tools/fleet/certificate tools/fleet/*/*)))
LOAD_BIN := $(BUILD)/tests/loads $(BUILD)/tests/relocs $(BUILD)/tests/refusals

# Everything except main(), as a library: the linker leaves out a file whose functions a test includes or fakes. If a
# test fakes only some functions of a file, muldefs makes the linker take the test's.
CORE      := $(BUILD)/core.a
TEST_LINK := -Wl,-z,muldefs $(CORE)

BUILD_PACKAGES = gcc make clang libc6-dev linux-libc-dev libbpf-dev libelf-dev zlib1g-dev libjson-c-dev bpftool \
                 libinih-dev libcap-ng-dev libseccomp-dev libsystemd-dev libmicrohttpd-dev
LINT_PACKAGES  = clang-format clang-tidy cppcheck shellcheck mandoc python3
TEST_PACKAGES  = libcmocka-dev iproute2 nftables qemu-system-x86 qemu-system-common busybox-static runc crun lz4 zstd \
                 python3-yaml $(LINT_PACKAGES)
ARM64_PACKAGES = qemu-system-arm lld
DEB_PACKAGES   = debhelper dpkg-dev fakeroot lintian

.PHONY: FORCE all run test lint format check check-servers check-kernels check-arm64 check-package arm64 demo bench install \
        deb clean help deps deps-test deps-arm64
all: $(BUILD)/lostpeer $(BUILD)/fleet/clickhouse/events.sql

help:
	@echo 'make                build/lostpeer (calls no package manager)'
	@echo 'make run            install what building needs, build, show live events (root)'
	@echo 'make demo           the same, and make one drop of every kind in network namespaces (root)'
	@echo 'make check          install what tests need, build, run every test that this machine can run (root)'
	@echo 'make test           build and run only NAME="cause refused early.py ...": unit tests, scenarios (root), files, patterns'
	@echo 'make check-servers  the same beside nginx, redis, PostgreSQL, sshd, with journald, rsyslog, Prometheus, ClickHouse (root)'
	@echo 'make check-kernels  boot each kernel from 5.10 on, or SERIES="6.1 6.12-arm64", and test on it (root, long)'
	@echo 'make check-arm64    the same on three kernels of arm64, emulated; make arm64 only builds build/arm64/'
	@echo 'make check-package  build the Debian package; install, run and purge it in an overlay of this system (root)'
	@echo 'make bench          what a connection costs with lostpeer attached, and a look at 100,000 of them (root)'
	@echo 'make lint           format, includes, sizes, unused declarations, clang-tidy, cppcheck, shellcheck, man pages, licences'
	@echo 'make format         apply .clang-format to every C file'
	@echo 'make compile_commands.json  how each C file is compiled, for clangd and the like'
	@echo 'make install        PREFIX=$(PREFIX) DESTDIR=$(DESTDIR); starts and enables nothing'
	@echo 'make deb            a Debian package in build/deb/, of what is here; takes debhelper and dpkg-dev'
	@echo 'make clean          remove build/'
	@echo 'INSTALL_DEPS=no     never call the package manager; V=1 shows the commands'

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(call say,BPF,$@)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

SKELETONS := $(BUILD)/lostpeer.skel.h $(BUILD)/check.skel.h

$(SKELETONS): $(BUILD)/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(call say,SKEL,$@)$(BPFTOOL) gen skeleton $< name $* > $@.tmp && mv $@.tmp $@

# Changes when the set of installed libraries changes, so that everything is built again.
$(BUILD)/libraries: FORCE
	@mkdir -p $(@D)
	@echo '$(call names,$(HAVE))' | cmp -s - $@ || { echo '$(call names,$(HAVE))' >$@; \
		$(if $(LACK),echo '  built without $(call names,$(LACK))',:); }

$(BUILD)/user/%.o: user/%.c $(BUILD)/libraries | $(SKELETONS)
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(AGENT_CFLAGS) -c $< -o $@

$(BUILD)/fleet/clickhouse/events.sql: tools/columns.awk tools/man/lostpeer-events.7 tools/fleet/clickhouse/events.sql.in
	@mkdir -p $(@D)
	$(Q)awk -f $^ >$@.tmp && mv $@.tmp $@

$(BUILD)/lostpeer: $(USER_OBJ)
	$(call say,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(AGENT_LIBS)

$(BUILD)/user/main.o: AGENT_CFLAGS += $(MAIN_CFLAGS)

# The .d files do not list the skeletons, which are system headers (-isystem), so name the files that include them.
$(filter $(BUILD)/user/kernel/%,$(USER_OBJ)): $(BUILD)/lostpeer.skel.h
$(BUILD)/user/check/snapshot_bpf.o: $(BUILD)/check.skel.h

# q appends without comparing names, because files in different folders may have the same name.
$(CORE): $(CORE_OBJ)
	$(call say,AR,$@)rm -f $@ && $(AR) qcs $@ $^

# The test counts calls of these functions.
$(BUILD)/tests/test_pipeline: LDFLAGS += -Wl,--wrap=judge_record,--wrap=event_new,--wrap=event_judge

$(BUILD)/tests/%: tests/unit/%.c $(CORE)
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(AGENT_CFLAGS) $(LDFLAGS) $< $(TEST_LINK) -o $@ -lcmocka $(AGENT_LIBS)

$(LOAD_BIN): $(BUILD)/tests/%: tests/kernels/%.c $(CORE)
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(AGENT_CFLAGS) $(LDFLAGS) $< $(TEST_LINK) -o $@ $(AGENT_LIBS)

# The BPF object for arm64, whose registers have other names, in a program for this machine: relocation needs no arm64.
build/tests/relocs-arm64: tests/kernels/relocs.c $(CORE) $(wildcard bpf/* include/*)
	$(Q)$(MAKE) --no-print-directory BUILD=build/arm64 ARCH=arm64 build/arm64/lostpeer.skel.h build/arm64/check.skel.h
	$(call say,TEST,$@)$(CC) -isystem build/arm64 $(AGENT_CFLAGS) $(LDFLAGS) $< $(TEST_LINK) -o $@ \
		$(AGENT_LIBS)

deps:
	@tools/install-deps $(BUILD_PACKAGES)

deps-test:
	@tools/install-deps $(BUILD_PACKAGES) $(TEST_PACKAGES)

deps-arm64: deps-test
	@tools/install-deps $(ARM64_PACKAGES)

run: deps
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all
	$(Q)$(BUILD)/lostpeer watch

demo: deps
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all
	$(Q)$(BUILD)/lostpeer demo

check: deps-test
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all $(UNIT_BIN) $(LOAD_BIN) build/tests/relocs-arm64 compile_commands.json
	$(Q)tests/run

lint:
	@tools/install-deps $(BUILD_PACKAGES) $(LINT_PACKAGES)
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory compile_commands.json
	$(Q)tests/lint/run

test: deps-test
	$(Q)set -f; needs=$$(tests/only --needs $(NAME)) && \
		$(MAKE) $(PARALLEL) --no-print-directory $$needs && tests/only $(NAME)

check-servers: deps-test
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all
	$(Q)status=0; for step in tests/servers/packages.py "tests/run servers exports fleet"; do $$step || status=1; done; \
		exit $$status

# Needs arm64 only if SERIES is empty or names an arm64 kernel.
check-kernels: $(if $(SERIES),$(if $(findstring arm64,$(SERIES)),arm64),arm64) deps-test
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all $(LOAD_BIN) build/tests/relocs-arm64
	$(Q)tests/kernels/table $(SERIES)

check-arm64: arm64
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all $(LOAD_BIN) build/tests/relocs-arm64
	$(Q)tests/kernels/table 5.10-arm64 6.12-arm64 newest-arm64

# Cross-builds with clang against Debian's packages for arm64, which are unpacked in the cache and never installed.
arm64: deps-arm64
	$(Q)root=$$(tests/kernels/root) && $(MAKE) --no-print-directory BUILD=build/arm64 ARCH=arm64 SYSROOT=$$root \
		CC="$(CLANG) --target=aarch64-linux-gnu --sysroot=$$root" LDFLAGS=-fuse-ld=lld all build/arm64/tests/loads

bench: deps-test
	$(Q)$(MAKE) $(PARALLEL) --no-print-directory all
	$(Q)tests/bench/run

# The log directory belongs to the group adm, if that exists and the user may set it.
install: all
	install -D -m 0755 $(BUILD)/lostpeer $(DESTDIR)$(PREFIX)/sbin/lostpeer
	install -D -m 0644 tools/man/lostpeer.8 $(DESTDIR)$(PREFIX)/share/man/man8/lostpeer.8
	install -D -m 0644 tools/man/lostpeer-events.7 $(DESTDIR)$(PREFIX)/share/man/man7/lostpeer-events.7
	install -D -m 0644 tools/man/lostpeer.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/lostpeer.conf.5
	install -D -m 0644 tools/prometheus/lostpeer.rules.yml $(DESTDIR)$(PREFIX)/share/lostpeer/lostpeer.rules.yml
	install -D -m 0644 tools/grafana/lostpeer.json $(DESTDIR)$(PREFIX)/share/lostpeer/lostpeer.json
	for file in $(FLEET); do \
		install -D -m $$(test -x tools/$$file && echo 0755 || echo 0644) tools/$$file \
			$(DESTDIR)$(PREFIX)/share/lostpeer/$$file || exit; done
	install -D -m 0644 $(BUILD)/fleet/clickhouse/events.sql $(DESTDIR)$(PREFIX)/share/lostpeer/fleet/clickhouse/events.sql
	install -D -m 0644 tools/lostpeer.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lostpeer
	sed -e 's|@SBINDIR@|$(PREFIX)/sbin|' $(if $(filter systemd:%,$(LACK)),-e 's/^Type=notify/Type=exec/' \
		-e '/^WatchdogSec=/d') tools/lostpeer.service.in >$(BUILD)/lostpeer.service
	install -D -m 0644 $(BUILD)/lostpeer.service $(DESTDIR)$(PREFIX)/lib/systemd/system/lostpeer.service
	install -D -m 0644 tools/lostpeer.logrotate $(DESTDIR)/etc/logrotate.d/lostpeer
	test -e $(DESTDIR)/etc/lostpeer/lostpeer.conf || \
		install -D -m 0644 tools/lostpeer.conf $(DESTDIR)/etc/lostpeer/lostpeer.conf
	install -d -m 0750 -g adm $(DESTDIR)/var/log/lostpeer 2>/dev/null || install -d -m 0750 $(DESTDIR)/var/log/lostpeer

deb:
	$(Q)tools/debian/build $(VERSION)

check-package: deps-test
	@tools/install-deps $(DEB_PACKAGES)
	$(Q)tests/package

format:
	@tools/install-deps $(LINT_PACKAGES)
	$(Q)find bpf include user tests -name '*.[ch]' -exec clang-format -i {} +

comma := ,
entry = {"directory": "$(CURDIR)", "file": "$(1)", "command": "$(subst ",\",$(2) -c $(1))"}
entries = $(foreach c,$(USER_SRC) $(wildcard tests/*/*.c),$(call entry,$(c),$(CC) $(AGENT_CFLAGS) $(MAIN_CFLAGS))) \
          $(foreach c,$(wildcard bpf/*.bpf.c),$(call entry,$(c),$(CLANG) $(BPF_CFLAGS)))
# For clangd and clang-tidy: the command that compiles each C file.
compile_commands.json: $(SKELETONS) FORCE
	$(file >$@,[$(subst } {,}$(comma) {,$(entries))])
	@:

clean:
	rm -rf build

-include $(shell find $(BUILD) -path $(BUILD)/deb -prune -o -type f -name '*.d' -print 2>/dev/null)
