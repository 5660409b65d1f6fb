# Every public command. `make help` lists them.
#
# DEBUG=1 builds into build/debug: lock ranks, poison, assertions and the self-tests.

VERSION := 0.1.0
SHELL   := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

ifdef DEBUG
OUT := build/debug
else
OUT := build
endif

# Pure files: built into the image, and again for the host's unit tests and fuzzers.
PURE := \
	boot/acpi.c boot/acpi_madt.c boot/acpi_srat.c boot/acpi_optional.c \
	boot/config.c boot/config_keys.c boot/config_lex.c boot/multiboot2.c \
	kernel/lib/diag.c kernel/lib/fmt.c kernel/lib/log_ring.c \
	kernel/timer_heap.c \
	mm/frame.c mm/frame_chunk.c mm/heap.c mm/memmap.c mm/pgtable.c mm/pool.c

# Files that need the machine.
IMPURE := kernel/lib/string.c

# Self-tests that need the machine; debug builds only.
DEBUG_ONLY :=

ASM := boot/start.asm

C_SOURCES := $(PURE) $(IMPURE) $(if $(DEBUG),$(DEBUG_ONLY))
