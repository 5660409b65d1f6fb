# Tiny guests: one image, many cases (cases.def). What each file is: guest.h.

GUEST_ELF     := $(BUILD)/tests/guest.elf
GUEST_SOURCES := $(sort $(wildcard tests/guest/*.c tests/guest/*.asm))
GUEST_OBJECTS := $(GUEST_SOURCES:tests/guest/%=$(BUILD)/tests/guest/%.o)

GUEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding $(WARNINGS) -I. \
	-fno-pic -no-pie -mno-red-zone -mgeneral-regs-only -fno-stack-protector \
	-fcf-protection=none -fno-asynchronous-unwind-tables \
	-fno-strict-aliasing -fno-common -fno-tree-loop-distribute-patterns

$(BUILD)/tests/guest/%.c.o: tests/guest/%.c tests/guest/guest.mk Makefile
	@mkdir -p $(@D)
	@gcc $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/tests/guest/%.asm.o: tests/guest/%.asm tests/guest/guest.mk Makefile
	@mkdir -p $(@D)
	@nasm -f elf64 -w+error -o $@ $<

# Boot loaders of multiboot 1 want 32 bits in the ELF header.
$(GUEST_ELF): $(GUEST_OBJECTS) tests/guest/guest.ld
	@ld -nostdlib -static -T tests/guest/guest.ld -z max-page-size=4096 \
		-z noexecstack --no-warn-rwx-segments --build-id=none \
		-o $(@:.elf=64.elf) $(GUEST_OBJECTS)
	@objcopy -O elf32-i386 --strip-debug $(@:.elf=64.elf) $@

-include $(GUEST_OBJECTS:.o=.d)
