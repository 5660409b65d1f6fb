# The figures of the README, and trying the image out.

BENCH_OUT := $(BUILD)/bench

# The guest that measures exits. QEMU's -kernel wants multiboot in ELF32, though
# the code has 64 bits.
BENCH_CFLAGS := -std=gnu11 -O2 -ffreestanding $(WARNINGS) -I. -fno-pic \
	-mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables

BENCH_OBJECTS := $(patsubst tests/bench/guest/%,$(BENCH_OUT)/%.o,$(basename \
	$(filter-out %/init.asm,$(wildcard tests/bench/guest/*.c tests/bench/guest/*.asm))))

$(BENCH_OUT)/%.o: tests/bench/guest/%.c $(wildcard tests/bench/guest/*.h) tests/bench/bench.mk
	@mkdir -p $(@D)
	@gcc $(BENCH_CFLAGS) -c -o $@ $<

$(BENCH_OUT)/%.o: tests/bench/guest/%.asm
	@mkdir -p $(@D)
	@nasm -f elf64 -o $@ $<

$(BENCH_OUT)/guest.elf: $(BENCH_OBJECTS) tests/bench/guest/guest.ld
	@ld -nostdlib -static --build-id=none --no-warn-rwx-segments \
		-T tests/bench/guest/guest.ld \
		-o $@ $(BENCH_OBJECTS)
	@objcopy -O elf32-i386 $@

# The Debian guest's first process.
$(BENCH_OUT)/init: $(BENCH_OUT)/init.o
	@ld -nostdlib -static -s --build-id=none -o $@ $<

# The first process of the one that does whole jobs.
$(BENCH_OUT)/jobs.elf: tests/bench/jobs/jobs.c tests/bench/bench.mk
	@mkdir -p $(@D)
	@gcc -std=gnu11 -O2 $(WARNINGS) -static -s -o $@ $<

BENCH_PROGRAMS := $(BENCH_OUT)/guest.elf $(BENCH_OUT)/init $(BENCH_OUT)/jobs.elf

.PHONY: bench bench-compare run

# BENCH=NAME: one row. PEERS=none, kvm or xen: not all of them.
# ENVIRONMENT=qemu-svm or bochs: rows of that emulator.
bench:
	@scripts/setup.sh bench
	@$(MAKE) --no-print-directory -j$$(nproc) all guest $(BENCH_PROGRAMS)
	@$(MAKE) --no-print-directory -j$$(nproc) DEBUG=1 all
	@scripts/bench --row "$(BENCH)" $(if $(PEERS),--peers "$(PEERS)") \
		$(if $(ENVIRONMENT),--environment "$(ENVIRONMENT)")

# The baseline is a build/bench.json that somebody found worth keeping.
bench-compare:
	@scripts/bench --compare

run:
	@scripts/setup.sh run
	@$(MAKE) --no-print-directory -j$$(nproc) all guest
	@scripts/run
