/* Which of the two back ends drives guests on this machine. */
#include "kernel/backend.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/stop.h"
#include "svm/svm.h"
#include "vmx/vmx.h"

static const char *name;

void backend_choose(void)
{
	struct diag why;
	int err = svm_probe(&why);

	name = "svm";
	if (err == -ENODEV) {
		err = vmx_probe(&why);
		name = "vmx";
	}
	if (err == -ENODEV)
		stop("this CPU has neither AMD SVM nor Intel VMX");
	if (err)
		stop("%s", why.text);
}

const char *backend_name(void)
{
	return name;
}
