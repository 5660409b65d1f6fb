/* Checking the address space against its rules; debug builds. */
#ifndef MM_HOST_AUDIT_H
#define MM_HOST_AUDIT_H

/*
 * Panic unless every leaf is kernel-only, none is writable and executable, and no
 * frame is executable by one leaf and writable by another.
 */
void host_audit(void);

#endif
