#include "xmm.h"

struct xmm fake_xmm[16];

struct xmm vcpu_read_xmm(struct vcpu *vcpu, unsigned int number)
{
	(void)vcpu;
	return fake_xmm[number];
}

void vcpu_write_xmm(struct vcpu *vcpu, unsigned int number, struct xmm value)
{
	(void)vcpu;
	fake_xmm[number] = value;
}
