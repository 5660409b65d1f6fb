/* The second-level page tables of Intel's EPT. [pure] */
#ifndef VMX_EPT_H
#define VMX_EPT_H

#include "mm/pgtable.h"

/* Has PT_WRITE, PT_EXECUTE, both and neither. */
extern const struct pt_format pt_format_ept;

#endif
