# Tests and checks. Unit tests and fuzzers are pure files compiled for the host:
# each test program links the archive of all of them and of the fakes.

HOST := $(BUILD)/host
HOST_PURE := $(PURE) $(EFI_PURE)
FAKES := $(wildcard tests/unit/fake/*.c)

HOST_CFLAGS = -std=gnu11 -g -O1 $(WARNINGS) -Itests/unit/fake -I. \
	-DBASALT_VERSION='"$(VERSION)"'
FUZZ_TIME := 60

# How a program is built: folder, compiler and flags.
#	asan	unit tests; a test named *_poison is built with DEBUG
#	debug	the same with DEBUG
#	tsan	unit tests named *_race
#	fuzz	fuzzers
#	cov	unit tests, and fuzzers replaying their seeds, for coverage
asan_CC     := gcc
asan_FLAGS  := -fsanitize=address,undefined -fno-sanitize-recover=all
debug_CC    := gcc
debug_FLAGS := $(asan_FLAGS) -DDEBUG
tsan_CC     := gcc
# it cannot see fences, and says so
tsan_FLAGS  := -fsanitize=thread -Wno-tsan -pthread
fuzz_CC     := clang
fuzz_FLAGS  := -mcx16 -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
cov_CC      := gcc
cov_FLAGS   := --coverage -O0

# $(call host_kind,KIND): rules for its objects and its archive.
define host_kind
$(HOST)/$(1)/%.o: %.c Makefile tests/tests.mk
	@mkdir -p $$(@D)
	@$$($(1)_CC) $$(HOST_CFLAGS) $$($(1)_FLAGS) -MMD -MP -c -o $$@ $$<

$(HOST)/$(1)/pure.a: $(HOST_PURE:%.c=$(HOST)/$(1)/%.o) $(FAKES:%.c=$(HOST)/$(1)/%.o)
	@rm -f $$@
	@ar rcs $$@ $$^

-include $$(wildcard $(HOST)/$(1)/*/*.d $(HOST)/$(1)/*/*/*.d $(HOST)/$(1)/*/*/*/*.d)
endef
$(foreach kind,asan debug tsan fuzz cov,$(eval $(call host_kind,$(kind))))

UNIT_SOURCES := $(sort $(wildcard tests/unit/test_*.c))
UNIT_NAMES   := $(UNIT_SOURCES:tests/unit/%.c=%)
unit_kind     = $(if $(filter %_race,$(1)),tsan,$(if $(filter %_poison,$(1)),debug,asan))
UNIT_BINARIES := $(foreach name,$(UNIT_NAMES),$(HOST)/$(call unit_kind,$(name))/bin/$(name))

$(HOST)/asan/bin/%: $(HOST)/asan/tests/unit/%.o $(HOST)/asan/pure.a
	@mkdir -p $(@D)
	@gcc $(asan_FLAGS) -o $@ $^ -lcmocka

# string.c has the C library's names: test_string sees it under others.
$(HOST)/strings.o: kernel/lib/string.c kernel/lib/compiler.c kernel/lib/mem.asm
	@mkdir -p $(@D)
	@gcc $(HOST_CFLAGS) -ffreestanding -Wno-missing-prototypes -c -o $(HOST)/string.o kernel/lib/string.c
	@gcc $(HOST_CFLAGS) -ffreestanding -c -o $(HOST)/compiler.o kernel/lib/compiler.c
	@nasm -f elf64 -o $(HOST)/mem.o kernel/lib/mem.asm
	@ld -r -z noexecstack -o $@ $(HOST)/string.o $(HOST)/compiler.o $(HOST)/mem.o
	@objcopy --prefix-symbols=basalt_ $@

$(HOST)/asan/bin/test_string $(HOST)/cov/bin/test_string: $(HOST)/strings.o

$(HOST)/debug/bin/%: $(HOST)/debug/tests/unit/%.o $(HOST)/debug/pure.a
	@mkdir -p $(@D)
	@gcc $(debug_FLAGS) -o $@ $^ -lcmocka

$(HOST)/tsan/bin/%: $(HOST)/tsan/tests/unit/%.o $(HOST)/tsan/pure.a
	@mkdir -p $(@D)
	@gcc $(tsan_FLAGS) -o $@ $^ -lcmocka

FUZZ_NAMES    := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_BINARIES := $(FUZZ_NAMES:%=$(HOST)/fuzz/bin/%)

$(HOST)/fuzz/bin/%: $(HOST)/fuzz/tests/fuzz/%.o $(HOST)/fuzz/pure.a
	@mkdir -p $(@D)
	@clang -fsanitize=fuzzer,address,undefined -o $@ $^ -lZydis

$(HOST)/cov/bin/test_%: $(HOST)/cov/tests/unit/test_%.o $(HOST)/cov/pure.a
	@mkdir -p $(@D)
	@gcc $(cov_FLAGS) -o $@ $^ -lcmocka -pthread

$(HOST)/cov/bin/fuzz_%: $(HOST)/cov/tests/fuzz/fuzz_%.o $(HOST)/cov/tests/fuzz/replay.o $(HOST)/cov/pure.a
	@mkdir -p $(@D)
	@gcc $(cov_FLAGS) -o $@ $^ -lZydis

COVERAGE_BINARIES := $(addprefix $(HOST)/cov/bin/,$(filter-out %_race %_poison,$(UNIT_NAMES)) $(FUZZ_NAMES))

# A boot loader of the tests' own, for information blocks that GRUB would not make.
$(BUILD)/tests/loader.elf: tests/system/loader/loader.asm tests/system/loader/loader.ld
	@mkdir -p $(@D)
	nasm -f elf32 -o $(@:.elf=.o) $<
	ld -m elf_i386 -nostdlib -T tests/system/loader/loader.ld -o $@ $(@:.elf=.o)


include tests/guest/guest.mk

.PHONY: guest test test-long test-unit test-system test-programs images fuzz fuzz-smoke \
	coverage lint format
.SECONDARY:

# The Debian guest of `make run` and of the tests.
guest:
	@scripts/guest-image $(BUILD)/guest tests/system/guest/init

images: all guest $(BUILD)/tests/loader.elf $(GUEST_ELF)
	@$(MAKE) --no-print-directory DEBUG=1 all

test-programs: $(UNIT_BINARIES) $(FUZZ_BINARIES)

test:
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory -j$$(nproc) images test-programs
	@scripts/test --unit --fuzz 5 --lint --system

test-long:
	@scripts/setup.sh test-long
	@$(MAKE) --no-print-directory -j$$(nproc) images test-programs $(BENCH_PROGRAMS)
	@scripts/test --unit --fuzz 60 --lint --system --long --bench

test-unit:
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory -j$$(nproc) $(UNIT_BINARIES)
	@scripts/test --unit

test-system:
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory -j$$(nproc) images
	@scripts/test --system

fuzz:
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory -j$$(nproc) $(FUZZ_BINARIES)
	@scripts/test --fuzz $(FUZZ_TIME)

coverage:
	@scripts/setup.sh test
	@$(MAKE) --no-print-directory -j$$(nproc) $(COVERAGE_BINARIES)
	@scripts/coverage $(BUILD)

lint:
	@scripts/setup.sh test
	@scripts/test --lint

format:
	clang-format -i $$(git ls-files '*.c' '*.h')
