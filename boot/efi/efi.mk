# basalt.efi: the UEFI loader with basalt.elf inside. Wants OUT and VERSION; makes $(OUT)/basalt.efi.

# Pure files of the loader: no part of the image, but compiled for the host's unit tests, too.
EFI_PURE := boot/efi/efi_map.c boot/efi/elf.c boot/efi/mbi.c boot/efi/names.c \
	boot/efi/options.c boot/efi/path.c

EFI_SOURCES := $(EFI_PURE) \
	boot/efi/console.c boot/efi/files.c boot/efi/handoff.c \
	boot/efi/loader.c boot/efi/pages.c boot/efi/rsdp.c boot/efi/screen.c \
	$(sort $(wildcard boot/config*.c)) \
	kernel/lib/diag.c kernel/lib/fmt.c kernel/lib/string.c

EFI_OUT     := $(OUT)/efi
EFI_OBJECTS := $(EFI_SOURCES:%.c=$(EFI_OUT)/%.o) $(EFI_OUT)/boot/efi/image.o

# Where Debian's gnu-efi puts its parts.
GNU_EFI_INCLUDE := /usr/include/efi
GNU_EFI_LIB     := /usr/lib

# No red zone: firmware takes interrupts on our stack. UEFI's calling convention comes with the EFIAPI attribute.
EFI_CFLAGS := -std=gnu11 -O2 -Wall -Wextra -Wshadow -Wconversion \
	-Wmissing-prototypes -Wstrict-prototypes -Wundef -Wvla -Werror \
	-ffreestanding -fno-tree-loop-distribute-patterns -fpic -fshort-wchar \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none \
	-mno-red-zone -mgeneral-regs-only -DGNU_EFI_USE_MS_ABI \
	-DBASALT_VERSION='"$(VERSION)"' -I. -isystem $(GNU_EFI_INCLUDE) \
	-isystem $(GNU_EFI_INCLUDE)/x86_64

EFI_LDFLAGS := -nostdlib -shared -Bsymbolic --build-id=none \
	-z noexecstack --no-undefined -T $(GNU_EFI_LIB)/elf_x86_64_efi.lds

# The sections of gnu-efi's linker script that a PE loader needs.
EFI_SECTIONS := .text .data .dynamic .dynsym .rela .reloc

$(EFI_OUT)/%.o: %.c boot/efi/efi.mk
	@mkdir -p $(@D)
	$(CC) $(EFI_CFLAGS) -MMD -MP -c -o $@ $<

# Symbols and debug information would only make the firmware load longer.
$(EFI_OUT)/image.elf: $(OUT)/basalt.elf
	@mkdir -p $(@D)
	objcopy --strip-all $< $@

$(EFI_OUT)/boot/efi/image.o: boot/efi/image.asm $(EFI_OUT)/image.elf
	@mkdir -p $(@D)
	nasm -f elf64 -DIMAGE_FILE='"$(EFI_OUT)/image.elf"' -o $@ $<

$(EFI_OUT)/basalt.so: $(EFI_OBJECTS)
	ld $(EFI_LDFLAGS) -o $@ $(GNU_EFI_LIB)/crt0-efi-x86_64.o $^ \
		-L $(GNU_EFI_LIB) -lgnuefi

$(OUT)/basalt.efi: $(EFI_OUT)/basalt.so
	objcopy --target=efi-app-x86_64 $(EFI_SECTIONS:%=-j %) $< $@

-include $(EFI_OBJECTS:.o=.d)
