# basalt.efi: the UEFI loader with basalt.elf inside. Wants OUT, VERSION, PURE, WARNINGS and CC; makes $(OUT)/basalt.efi, of the
# same bytes every time.

# Pure files of the loader: no part of the image, but compiled for the host's unit tests, too.
EFI_PURE := \
	boot/efi/efi_map.c boot/efi/elf.c boot/efi/mbi.c boot/efi/names.c \
	boot/efi/options.c boot/efi/path.c

EFI_SOURCES := $(EFI_PURE) \
	boot/efi/console.c boot/efi/files.c boot/efi/handoff.c \
	boot/efi/loader.c boot/efi/pages.c boot/efi/rsdp.c boot/efi/screen.c \
	$(filter boot/config%,$(PURE)) \
	kernel/lib/diag.c kernel/lib/fmt.c kernel/lib/string.c

EFI_ASM := boot/efi/image.asm kernel/lib/mem.asm

EFI_OUT     := $(OUT)/efi
EFI_OBJECTS := $(EFI_SOURCES:%.c=$(EFI_OUT)/%.o) \
	$(EFI_ASM:%.asm=$(EFI_OUT)/%.asm.o)

# Where Debian's gnu-efi puts its parts.
GNU_EFI_INCLUDE := /usr/include/efi
GNU_EFI_LIB     := /usr/lib

# No red zone: firmware takes interrupts on our stack. UEFI's calling convention comes with the EFIAPI attribute.
EFI_CFLAGS := -std=gnu11 -O2 -ffreestanding $(WARNINGS) -I. \
	-isystem $(GNU_EFI_INCLUDE) -isystem $(GNU_EFI_INCLUDE)/x86_64 \
	-DBASALT_VERSION='"$(VERSION)"' -DGNU_EFI_USE_MS_ABI \
	-fpic -fshort-wchar -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fcf-protection=none \
	-fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns

EFI_LDFLAGS := -nostdlib -shared -Bsymbolic --no-undefined --build-id=none \
	-z noexecstack -T $(GNU_EFI_LIB)/elf_x86_64_efi.lds

# The sections of gnu-efi's linker script that a PE loader needs.
EFI_SECTIONS := .text .data .dynamic .dynsym .rela .reloc

$(EFI_OUT)/%.o: %.c Makefile boot/efi/efi.mk
	@mkdir -p $(@D)
	@echo "  CC   $< (EFI)"
	@$(CC) $(EFI_CFLAGS) -MMD -MP -c -o $@ $<

$(EFI_OUT)/%.asm.o: %.asm Makefile boot/efi/efi.mk
	@mkdir -p $(@D)
	@echo "  NASM $< (EFI)"
	@nasm -f elf64 -w+error -DIMAGE_FILE='"$(EFI_OUT)/image.elf"' -o $@ $<

# Symbols and debug information would only make the firmware load longer.
$(EFI_OUT)/image.elf: $(OUT)/basalt.elf
	@mkdir -p $(@D)
	objcopy --strip-all $< $@

$(EFI_OUT)/boot/efi/image.asm.o: $(EFI_OUT)/image.elf

$(EFI_OUT)/basalt.so: $(EFI_OBJECTS)
	ld $(EFI_LDFLAGS) -o $@ $(GNU_EFI_LIB)/crt0-efi-x86_64.o $^ \
		-L $(GNU_EFI_LIB) -lgnuefi

$(OUT)/basalt.efi: $(EFI_OUT)/basalt.so
	objcopy --target=efi-app-x86_64 $(EFI_SECTIONS:%=-j %) $< $@

-include $(EFI_OBJECTS:.o=.d)
