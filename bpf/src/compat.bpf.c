/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls by which 32-bit code enters a 64-bit kernel: i386 programs, and any program by int 0x80. They have numbers
 * of their own and none of the per-call tracepoints fires for them, so these two programs run on every system call and
 * return at once unless it is such a call. On x86 alone.
 */
