#include "frame_hoard.h"

#include "mm/frame.h"

uint32_t frame_hoard_count;

static hpa_t frames[FRAME_HOARD_MAX];

void frame_hoard_all_but(uint32_t rest)
{
	while (frame_hoard_count < FRAME_HOARD_MAX) {
		hpa_t frame = frame_alloc(0, 0);

		if (hpa_equals(frame, HPA_NONE))
			break;
		frames[frame_hoard_count++] = frame;
	}
	while (rest-- && frame_hoard_count)
		frame_hoard_release_one();
}

void frame_hoard_release_one(void)
{
	frame_free(frames[--frame_hoard_count], 0);
}

void frame_hoard_release(void)
{
	while (frame_hoard_count)
		frame_hoard_release_one();
}
