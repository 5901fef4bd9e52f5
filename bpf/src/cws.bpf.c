/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The object that system-probe loads: the ring and the families of hooks. A hook is a body named after what
 * the kernel does, and thin wrappers, one for each way to attach it.
 */
#include "kernel.h"
#include "events.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "compat.h"
#include "emit.h"
#include "cgroup.h"
#include "path.h"
#include "tail.h"
#include "context.h"
#include "file.h"

#include "process.bpf.c"
#include "cgroup.bpf.c"
#include "credentials.bpf.c"
#include "snapshot.bpf.c"

char LICENSE[] SEC("license") = "Dual BSD/GPL";
