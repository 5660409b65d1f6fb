/* Hardware task switches in software. SDM 3A chapter 8 "Task Management" (7 in
 * older editions). [pure] */
#ifndef KERNEL_TASK_SWITCH_H
#define KERNEL_TASK_SWITCH_H

#include "kernel/vcpu.h"

/*
 * The exit EXIT_TASK_SWITCH: the vCPU is in the new task, or a fault was raised:
 * #TS, #NP, #GP or #PF in the old task with nothing changed, or #TS, #NP, #SS, #GP
 * or #PF in the new one, which then has all selectors but not all segments.
 *
 * The event that came through a task gate (vcpu->event) is delivered by it, or
 * lost to the fault, as by a CPU. A double fault and a shutdown come of it as of
 * any delivery.
 *
 * Who may switch is not asked: the CPU has checked that before the exit, against
 * the TSS or against the task gate, and does not tell which of them it was (SDM
 * 3C 26.4.2 "Treatment of Task Switches").
 */
void exit_task_switch(struct vcpu *vcpu);

#endif
