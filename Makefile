# Every public command; `make help` lists them. DEBUG=1 builds into build/debug: lock ranks, poison, assertions, self-tests.

VERSION := 0.1.0

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

BUILD := build
OUT   := $(if $(DEBUG),$(BUILD)/debug,$(BUILD))
CC    := gcc

# ---- sources ---------------------------------------------------------------------------------------------------------------

# Pure files: built into the image, and again for the host's unit tests and fuzzers. All of these folders' are.
PURE := $(wildcard drivers/pc/*.c drivers/pci/*.c drivers/virtio/*.c) \
	boot/acpi.c boot/acpi_madt.c boot/acpi_optional.c boot/acpi_srat.c \
	boot/boot_info.c boot/config.c boot/config_keys.c boot/config_lex.c \
	boot/config_section.c boot/config_value.c \
	boot/multiboot2.c boot/multiboot2_tags.c \
	kernel/cpu/clock_math.c kernel/cpu/speculation.c kernel/lib/date.c kernel/lib/diag.c kernel/lib/fmt.c \
	kernel/lib/log_ring.c kernel/timer_heap.c kernel/lib/chacha.c \
	$(wildcard kernel/cpuid_*.c) \
	kernel/event.c kernel/exit.c \
	kernel/exit_cpuid.c kernel/exit_cr.c kernel/exit_msr.c kernel/guest_walk.c \
	kernel/hypercall.c kernel/io.c kernel/msr_policy.c kernel/pv_clock.c \
	kernel/vcpu_reset.c $(wildcard kernel/emulate*.c kernel/insn*.c kernel/loader*.c) \
	kernel/guest_linear.c $(wildcard kernel/task_*.c) \
	mm/extent.c mm/frame.c mm/frame_chunk.c mm/frame_node.c mm/heap.c \
	mm/memmap.c mm/pgtable.c mm/pool.c mm/untouched.c $(wildcard mm/guest_*.c) \
	svm/npt.c svm/svm_caps.c svm/svm_event.c svm/svm_exit.c svm/svm_state.c \
	vmx/ept.c vmx/vmx_caps.c $(wildcard vmx/vmx_check*.c) \
	vmx/vmx_apic.c vmx/vmx_event.c vmx/vmx_exit.c vmx/vmx_state.c

# Files that need the machine.
IMPURE := \
	boot/boot.c \
	drivers/host/console.c drivers/host/framebuffer.c \
	drivers/host/ioapic.c drivers/host/pic.c drivers/host/uart.c \
	kernel/backend.c kernel/console_input.c kernel/interrupt.c kernel/log.c \
	kernel/main.c kernel/panic.c kernel/random.c kernel/smp.c kernel/smp_call.c \
	kernel/symbols.c kernel/thread.c kernel/timer.c kernel/trace.c kernel/vcpu.c \
	kernel/vcpu_load.c kernel/vm.c kernel/vm_console.c kernel/vm_irq.c \
	kernel/cpu/apic.c kernel/cpu/cpu.c kernel/cpu/descriptors.c \
	kernel/cpu/percpu.c kernel/cpu/reference_clock.c kernel/cpu/rtc.c \
	kernel/cpu/time.c kernel/cpu/trap.c kernel/lib/compiler.c kernel/lib/string.c \
	mm/host_space.c mm/stack.c svm/svm.c \
	vmx/vmx.c vmx/vmx_cpu.c vmx/vmx_create.c vmx/vmx_host.c vmx/vmx_live.c vmx/vmx_probe.c

IMPURE += $(if $(DEBUG),kernel/lock_rank.c kernel/selftest.c kernel/selftest_panic.c mm/host_audit.c,kernel/selftest_none.c)

ASM := \
	boot/start.asm drivers/host/font.asm kernel/cpu/entry.asm kernel/cpu/xmm.asm \
	kernel/lib/mem.asm kernel/switch.asm kernel/trampoline.asm svm/svm_entry.asm vmx/vmx_entry.asm

include drivers/pc/acpi/acpi.mk

OBJECTS := $(PURE:%.c=$(OUT)/obj/%.o) $(IMPURE:%.c=$(OUT)/obj/%.o) \
	$(ASM:%.asm=$(OUT)/obj/%.asm.o)

# ---- flags -----------------------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wmissing-prototypes \
	-Wstrict-prototypes -Wundef -Wvla -Werror

CFLAGS = -std=gnu11 -O2 -g -ffreestanding $(WARNINGS) -I. \
	-DBASALT_VERSION='"$(VERSION)"' $(if $(DEBUG),-DDEBUG) \
	-mcmodel=kernel -fno-pic -mno-red-zone -mgeneral-regs-only \
	-fno-omit-frame-pointer -fno-optimize-sibling-calls \
	-fstack-protector-strong -mstack-protector-guard=global \
	-fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fno-common -fno-tree-loop-distribute-patterns \
	-Wframe-larger-than=$(FRAME_MAX) -ffile-prefix-map=$(CURDIR)=.

# Thread stacks are 12 KiB; boot/ runs on the boot stack of 16 KiB only.
FRAME_MAX = 1024
$(OUT)/obj/boot/%.o: FRAME_MAX = 3072

# no -g: nasm would note the folder it ran in
NASMFLAGS := -f elf64 -w+error
LDFLAGS   := -nostdlib -static -T boot/link.ld -z max-page-size=4096 \
	-z noexecstack --no-warn-rwx-segments --build-id=none

# ---- the image -------------------------------------------------------------------------------------------------------------

.PHONY: all
all: $(OUT)/basalt.elf $(OUT)/basalt.efi $(OUT)/basalt.iso

$(OUT)/obj/$(BUILD)/gen/%.o: $(BUILD)/gen/%.c Makefile
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/obj/%.asm.o: %.asm Makefile
	@mkdir -p $(@D)
	@echo "  NASM $<"
	@nasm $(NASMFLAGS) -I $(OUT)/ -o $@ $<

# The console font: glyphs of a PSF 1 font (4 bytes of header, 256 glyphs of 16 bytes).
FONT := /usr/share/consolefonts/Lat15-Terminus16.psf.gz

$(OUT)/font.bin: $(FONT)
	@mkdir -p $(@D)
	gunzip -c $< | tail -c +5 | head -c 4096 > $@ || [ $$? = 141 ]

$(OUT)/obj/drivers/host/font.asm.o: $(OUT)/font.bin

# Linked twice: the second time with the names of the first one's functions, which lie after all text and so move none.
$(OUT)/symbols-empty.o: scripts/symbols.awk
	@mkdir -p $(@D)
	awk -f $< /dev/null > $(@:.o=.asm)
	nasm -f elf64 -o $@ $(@:.o=.asm)

$(OUT)/basalt-unnamed.elf: $(OBJECTS) $(OUT)/symbols-empty.o boot/link.ld
	ld $(LDFLAGS) -o $@ $(OBJECTS) $(OUT)/symbols-empty.o

$(OUT)/symbols.o: $(OUT)/basalt-unnamed.elf scripts/symbols.awk
	nm -n $< | awk -f scripts/symbols.awk > $(@:.o=.asm)
	nasm -f elf64 -o $@ $(@:.o=.asm)

$(OUT)/basalt.elf: $(OBJECTS) $(OUT)/symbols.o boot/link.ld
	ld $(LDFLAGS) -o $@ $(OBJECTS) $(OUT)/symbols.o

include boot/efi/efi.mk

$(OUT)/basalt.iso: $(OUT)/basalt.elf scripts/make-iso boot/grub.cfg
	scripts/make-iso $@ boot/grub.cfg $(OUT)/basalt.elf

-include $(OBJECTS:.o=.d)

# ---- tests on the host -----------------------------------------------------------------------------------------------------

include tests/tests.mk
include tests/bench/bench.mk

.PHONY: help clean
help:
	@echo "make            build/basalt.elf (multiboot2), basalt.efi, basalt.iso (BIOS and UEFI); DEBUG=1: into build/debug"
	@echo "make run        build and boot in QEMU; CPUS=2 MEM=1024 FIRMWARE=bios|uefi"
	@echo "make test       all tests that a push must pass; test-long: and the long ones"
	@echo "make test-unit, test-system, lint, fuzz (FUZZ_TIME=60), coverage: the parts"
	@echo "make bench      figures, and build/bench.json; PEERS=none ENVIRONMENT=qemu-svm|bochs BENCH=ROW"
	@echo "make format     clang-format over all C files"

clean:
	rm -rf $(BUILD)
