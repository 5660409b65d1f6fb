/* The one line that says why input was refused. [pure] */
#ifndef KERNEL_LIB_DIAG_H
#define KERNEL_LIB_DIAG_H

#define DIAG_TEXT_MAX 240

/* Filled by whoever refuses: what, where, what was expected. "" if nothing was.
 */
struct diag {
	char text[DIAG_TEXT_MAX];
};

/* Set the line (cut to fit) and return @error, so that "return diag_set(…,
 * -EINVAL, …)" reads as one step. */
int diag_set(struct diag *diag, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
