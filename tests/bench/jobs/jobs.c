/*
 * The first process of a Linux guest that does whole jobs: each one twice, and the
 * ticks of the TSC that the second run took, so that memory has been touched and
 * caches of the kernel are filled. They are printed at the end, because a serial
 * console costs more under a hypervisor than on the machine. Then it powers off.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#define CPU_ROUNDS 20000000U
#define SYSCALLS   300000U

static bool do_cpu(void)
{
	uint64_t x = 88172645463325252UL;

	for (uint32_t i = 0; i < CPU_ROUNDS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		__asm__ volatile("" : "+r"(x));
	}
	return true;
}

static bool do_syscall(void)
{
	for (uint32_t i = 0; i < SYSCALLS; i++)
		syscall(SYS_getppid);
	return true;
}

/* Does it end well? */
static bool run(char *const argv[])
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		execv(argv[0], argv);
		_exit(127);
	}
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static bool do_shell(void)
{
	char *argv[] = { "/bin/busybox", "sh", "-c",
			 "i=0; while [ $i -lt 100 ]; do /bin/busybox test $i "
			 "-lt 100 || exit 1; i=$((i + 1)); done",
			 NULL };

	return run(argv);
}

static bool do_compile(void)
{
	char *argv[] = { "/lib/ld-linux-x86-64.so.2",
			 "--library-path",
			 "/lib",
			 "/bin/tcc",
			 "-c",
			 "/root/job.c",
			 "-o",
			 "/tmp/job.o",
			 NULL };

	return run(argv);
}

static const struct {
	const char *name;
	bool (*work)(void);
} jobs[] = { { "cpu", do_cpu },
	     { "syscall", do_syscall },
	     { "shell", do_shell },
	     { "compile", do_compile } };

#define JOB_COUNT (sizeof(jobs) / sizeof(jobs[0]))

/* Ticks; 0: it failed. */
static uint64_t ticks_of(bool (*work)(void))
{
	uint64_t before = __rdtsc();

	return work() ? __rdtsc() - before : 0;
}

int main(void)
{
	uint64_t first[JOB_COUNT], second[JOB_COUNT];

	for (unsigned int i = 0; i < JOB_COUNT; i++) {
		first[i] = ticks_of(jobs[i].work);
		second[i] = ticks_of(jobs[i].work);
	}
	for (unsigned int i = 0; i < JOB_COUNT; i++) {
		if (first[i] && second[i])
			printf("figure %s %lu;\nfigure %s-first %lu;\n",
			       jobs[i].name, second[i], jobs[i].name, first[i]);
		else
			printf("%s failed\n", jobs[i].name);
	}
	printf("figure end\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 1;
}
