/*
 * Graphics output ("UEFI Specification 2.10", section 12.9 "Graphics Output
 * Protocol").
 */
#include "boot/efi/screen.h"

#define CHANNEL_MASK 0xffU

static EFI_GUID graphics_guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;

/* Where a byte-wide @mask lies; false for any other mask. */
static bool find_shift(uint32_t mask, uint8_t *out)
{
	*out = mask ? (uint8_t)__builtin_ctz(mask) : 0;
	return mask >> *out == CHANNEL_MASK;
}

/* A pixel ends at the highest bit of any mask, reserved included. */
static bool read_masks(const EFI_PIXEL_BITMASK *masks,
		       struct framebuffer_info *out)
{
	uint32_t all = masks->RedMask | masks->GreenMask | masks->BlueMask |
		       masks->ReservedMask;

	return all >> 24 && find_shift(masks->RedMask, &out->red_shift) &&
	       find_shift(masks->GreenMask, &out->green_shift) &&
	       find_shift(masks->BlueMask, &out->blue_shift);
}

static bool read_format(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode,
			struct framebuffer_info *out)
{
	static const EFI_PIXEL_BITMASK rgb = { 0xff, 0xff00, 0xff0000,
					       0xff000000 };
	static const EFI_PIXEL_BITMASK bgr = { 0xff0000, 0xff00, 0xff,
					       0xff000000 };

	switch (mode->PixelFormat) {
	case PixelRedGreenBlueReserved8BitPerColor:
		return read_masks(&rgb, out);
	case PixelBlueGreenRedReserved8BitPerColor:
		return read_masks(&bgr, out);
	case PixelBitMask: return read_masks(&mode->PixelInformation, out);
	default: return false;
	}
}

static bool read_mode(const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode,
		      struct framebuffer_info *out)
{
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = mode->Info;
	uint64_t pitch = (uint64_t)info->PixelsPerScanLine * sizeof(uint32_t);

	*out = (struct framebuffer_info){
		.base = HPA(mode->FrameBufferBase),
		.pitch = (uint32_t)pitch,
		.width = info->HorizontalResolution,
		.height = info->VerticalResolution,
	};
	return read_format(info, out) && pitch == out->pitch && out->width &&
	       out->height && info->PixelsPerScanLine >= out->width &&
	       mode->FrameBufferSize / pitch >= out->height;
}

struct framebuffer_info screen_find(EFI_BOOT_SERVICES *services)
{
	const struct framebuffer_info none = { 0 };
	EFI_GRAPHICS_OUTPUT_PROTOCOL *graphics;
	struct framebuffer_info found;

	if (EFI_ERROR(services->LocateProtocol(&graphics_guid, NULL,
					       (void **)&graphics)) ||
	    !graphics->Mode || !graphics->Mode->Info ||
	    !read_mode(graphics->Mode, &found))
		return none;
	return found;
}
