/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The object for kernels without a ring buffer or typed tracepoints, from the same sources: see variant.h. */
#define CWS_OLD_KERNEL
#include "cws.bpf.c"
