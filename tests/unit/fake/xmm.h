/* XMM registers of the fake vCPUs: one file of them, shared. */
#ifndef FAKE_XMM_H
#define FAKE_XMM_H

#include "kernel/vcpu.h"

extern struct xmm fake_xmm[16];

#endif
