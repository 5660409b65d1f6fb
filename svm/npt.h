/* The second-level page tables of AMD's nested paging. [pure] */
#ifndef SVM_NPT_H
#define SVM_NPT_H

#include "mm/pgtable.h"

/* Has PT_WRITE, PT_EXECUTE, both and neither. */
extern const struct pt_format pt_format_npt;

#endif
