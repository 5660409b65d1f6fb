/* Which of the two back ends drives guests on this machine. */
#include "kernel/backend.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/stop.h"
#include "kernel/smp.h"
#include "kernel/vcpu_load.h"
#include "svm/svm.h"
#include "vmx/vmx.h"

static const char *name;

void backend_choose(void)
{
	struct diag why;
	int err = svm_probe(&why);

	name = "svm";
	vcpu_ops = &svm_ops;
	if (err == -ENODEV) {
		err = vmx_probe(&why);
		name = "vmx";
		vcpu_ops = &vmx_ops;
	}
	if (err == -ENODEV)
		stop("this CPU has neither AMD SVM nor Intel VMX");
	if (err)
		stop("%s", why.text);
}

static void start_cpu(void *failures)
{
	vcpu_load_cpu_start();
	if (vcpu_ops->cpu_start())
		__atomic_fetch_add((uint32_t *)failures, 1, __ATOMIC_RELAXED);
}

void backend_start(void)
{
	uint32_t failures = 0;

	vcpu_load_init();
	smp_call_all(start_cpu, &failures);
	if (failures)
		stop("virtualization could not be turned on on %u CPUs: not "
		     "enough memory, the firmware forbids it there, or they "
		     "have not what the boot CPU has",
		     failures);
}

const char *backend_name(void)
{
	return name;
}
