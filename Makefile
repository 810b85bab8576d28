# cloner: `make demo` and `make test` are all a newcomer needs; `make help` lists the rest.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DEFAULT_GOAL := all

CC      ?= gcc
PKGS    := lua5.4 lua5.4-cjson libpq libcurl libuv libzstd libxxhash libcrypto libmicrohttpd

# VARIANT=release|test|asan: test adds fault points, asan adds the sanitizers on top of that.
VARIANT ?= release
BUILD   := build/$(VARIANT)

# Messages have a stated maximum and may be cut there: that is what snprintf is for.
WARN := -Wno-format-truncation -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wwrite-strings -Wundef -Wformat=2 -Wvla -Werror
OPT_release := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong
OPT_test    := -O1 -g -DCL_FAULTS
OPT_asan    := -O1 -g -DCL_FAULTS -fsanitize=address,undefined -fno-sanitize-recover=all \
               -fno-omit-frame-pointer
CFLAGS_ALL  = -std=c11 -D_GNU_SOURCE -fno-common -pthread $(WARN) $(OPT_$(VARIANT)) \
              -Iruntime -I. $(PKG_CFLAGS) $(CFLAGS)
LDLIBS_ALL  = $(PKG_LIBS) -lm -pthread $(LDFLAGS)
# Asked once, and not before the first compilation: pkg-config may be among what gets installed.
PKG_CFLAGS  = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) | sed 's/-I/-isystem /g'))$(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)
LINK_asan  := -fsanitize=address,undefined

SRC      := $(sort $(wildcard runtime/*/*.c bindings/*.c))
EMBEDDED := $(sort $(wildcard runtime/host/*.lua bindings/*.lua runtime/journal/*.sql \
              runtime/journal/*/*.sql runtime/pg/*.sql runtime/backup/*.sql runtime/mask/*.txt))
OBJ      := $(SRC:%.c=$(BUILD)/%.o)
MAIN     := $(BUILD)/runtime/main.o
GEN      := $(BUILD)/embedded

UNIT     := $(sort $(wildcard tests/unit/*_test.c))
UNIT_BIN := $(UNIT:%.c=$(BUILD)/%)

# V=1 shows the commands; with test and asan, every test's own output.
Q := $(if $(V),,@)

all: cloner

cloner: $(BUILD)/cloner
	@ln -sf $< $@

$(BUILD)/cloner: $(OBJ) $(MAIN) $(GEN).o
	$(Q)$(CC) $(LINK_$(VARIANT)) -o $@ $^ $(LDLIBS_ALL)

$(BUILD)/%.o: %.c Makefile | build/.have-build
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

$(GEN).c: runtime/base/embed.sh $(EMBEDDED) Makefile
	@mkdir -p $(@D)
	$(Q)./runtime/base/embed.sh $(EMBEDDED) > $@

$(GEN).o: $(GEN).c $(EMBEDDED) | build/.have-build
	$(Q)$(CC) $(CFLAGS_ALL) -c -o $@ $<

# Packages, by purpose: the stamp says that they were all there when last looked at.
build/.have-%: .ci/packages
	$(Q).ci/packages $*
	@mkdir -p $(@D) && touch $@

# The C tests: one executable a file, linked with everything but main.
$(BUILD)/tests/%.o: | build/.have-test
$(UNIT_BIN): %: %.o $(OBJ) $(GEN).o
	$(Q)$(CC) $(LINK_$(VARIANT)) -o $@ $^ -lcmocka $(LDLIBS_ALL)

unit: $(UNIT_BIN)

# One test alone: make test ONLY=tests/bindings/db_test.lua
test: build/.have-build build/.have-test
	$(Q)$(MAKE) --no-print-directory V= VARIANT=test build/test/cloner unit
	$(Q)V='$(V)' tests/run.sh test $(ONLY)

# The same under AddressSanitizer, LeakSanitizer and UBSan.
asan: build/.have-build build/.have-test
	$(Q)$(MAKE) --no-print-directory V= VARIANT=asan build/asan/cloner unit
	$(Q)V='$(V)' tests/run.sh asan $(ONLY)

# The sample platform. SCALE=100: five million rows in the source tenant.
demo: build/.have-build build/.have-demo
	$(Q)$(MAKE) --no-print-directory cloner
	$(Q)scripts/demo/demo.sh $(SCALE)

up: build/.have-build build/.have-demo
	$(Q)$(MAKE) --no-print-directory cloner
	$(Q)scripts/demo/up.sh $(SCALE)

down:
	$(Q)scripts/demo/down.sh

# What a machine can say about the sources without running them.
check: build/.have-check build/.have-build build/.have-test
	$(Q)tests/check.sh

# The C tests under valgrind (the sanitizers see most of it faster: make asan).
valgrind: build/.have-build build/.have-test build/.have-valgrind
	$(Q)$(MAKE) --no-print-directory V= VARIANT=test build/test/cloner unit
	$(Q)V='$(V)' RUN_UNDER='valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite' \
	    tests/run.sh test $(or $(ONLY),$(UNIT:%.c=build/test/%))

# The mask under libFuzzer, each target from its kept corpus on; what it finds stays in build/fuzz.
FUZZ_S ?= 600
FUZZ   ?= scanner plain json base64 soft bytes nested methods
fuzz: build/.have-build build/.have-fuzz build/fuzz/mask_fuzz
	$(Q)cd build/fuzz && for target in $(FUZZ); do \
	    mkdir -p "corpus/$$target" && MASK_FUZZ=$$target ./mask_fuzz -max_len=1000 -max_total_time=$(FUZZ_S) \
	        "corpus/$$target" "$(CURDIR)/tests/mask/corpus/$$target" || exit 1; \
	done

build/fuzz/mask_fuzz: tests/unit/mask_fuzz.c tests/unit/mask_carriers.h $(wildcard runtime/mask/*.[ch]) $(GEN).o
	@mkdir -p $(@D)
	$(Q)clang -g -O1 -std=c11 -D_GNU_SOURCE -DCL_FUZZ -fsanitize=fuzzer,address,undefined -Iruntime -o $@ \
	    $(filter %.c,$^) $(patsubst %,runtime/base/%.c,buf err hash redact) $(GEN).o -lcrypto -lm

# cloner beside other ways to copy a database: make bench SIZES="0.5 2 8" RUNS=3 (tests/bench/README.md)
bench: build/.have-build build/.have-bench
	$(Q)$(MAKE) --no-print-directory VARIANT=release cloner
	$(Q)tests/bench/bench.sh

# The mask beside memchr over the same bytes, and Lua functions of columns (tests/bench/mask*_bench.c).
MASK_BENCHES := tests/bench/mask_bench tests/bench/mask_script_bench
bench-mask: build/.have-build
	$(Q)$(MAKE) --no-print-directory VARIANT=release $(MASK_BENCHES:%=build/release/%)
	$(Q)build/release/tests/bench/mask_bench
	$(Q)build/release/tests/bench/mask_script_bench

$(MASK_BENCHES:%=$(BUILD)/%): %: %.o $(OBJ) $(GEN).o
	$(Q)$(CC) -o $@ $^ $(LDLIBS_ALL)

clean:
	rm -rf build/release build/test build/asan build/tests cloner

# Everything that was ever made here; stops the sample platform first.
distclean:
	$(Q)[ ! -d build/demo ] || scripts/demo/down.sh
	rm -rf build cloner

help:
	@echo 'make              build ./cloner'
	@echo 'make demo         start a sample platform, clone Cust26759 into Cust26760, show, stop (SCALE=100)'
	@echo 'make up, down     start, stop the sample platform alone'
	@echo 'make test         every test (ONLY=FILE: one; V=1: their output)'
	@echo 'make asan         every test under AddressSanitizer, LeakSanitizer and UBSan'
	@echo 'make valgrind     the C tests under valgrind'
	@echo 'make fuzz         the mask under libFuzzer (FUZZ_S=600: seconds a target; FUZZ=json: one)'
	@echo 'make check        linters, formatting, banned functions'
	@echo 'make bench        time cloner beside pg_dump, pgcopydb and others (SIZES="0.5 2 8" RUNS=3)'
	@echo 'make bench-mask   time the mask beside memchr, and its Lua functions'
	@echo 'make clean        remove what was compiled; distclean: all of build/'
	@echo
	@echo 'Missing Debian packages are installed first: .ci/packages --list build demo test check bench'

.PHONY: all cloner unit test asan demo up down check fuzz valgrind bench bench-mask clean distclean help
.SECONDARY:
-include $(OBJ:.o=.d) $(UNIT_BIN:=.d)
