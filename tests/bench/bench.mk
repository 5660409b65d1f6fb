# The figures of the README, and trying the image out.

BENCH := $(BUILD)/bench

# The guest that measures exits. QEMU's -kernel wants multiboot in ELF32, though
# the code has 64 bits.
BENCH_CFLAGS := -std=gnu11 -O2 -ffreestanding $(WARNINGS) -I. -fno-pic \
	-mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables

$(BENCH)/main.o: tests/bench/guest/main.c tests/bench/guest/instructions.h tests/bench/bench.mk
	@mkdir -p $(@D)
	@gcc $(BENCH_CFLAGS) -c -o $@ $<

$(BENCH)/start.o $(BENCH)/init.o: $(BENCH)/%.o: tests/bench/guest/%.asm
	@mkdir -p $(@D)
	@nasm -f elf64 -o $@ $<

$(BENCH)/guest.elf: $(BENCH)/start.o $(BENCH)/main.o tests/bench/guest/guest.ld
	@ld -nostdlib -static --build-id=none -T tests/bench/guest/guest.ld \
		-o $@ $(BENCH)/start.o $(BENCH)/main.o
	@objcopy -O elf32-i386 $@

# The Debian guest's first process.
$(BENCH)/init: $(BENCH)/init.o
	@ld -nostdlib -static -s --build-id=none -o $@ $<

.PHONY: bench run

bench:
	@scripts/setup.sh bench
	@$(MAKE) --no-print-directory -j$$(nproc) all guest \
		$(BENCH)/guest.elf $(BENCH)/init
	@scripts/bench

run:
	@scripts/setup.sh run
	@$(MAKE) --no-print-directory -j$$(nproc) all guest
	@scripts/run
