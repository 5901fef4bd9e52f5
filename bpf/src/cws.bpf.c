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

#include "variant.h"

#include "compat.h"
#include "settings.h"
#include "emit.h"
#include "cgroup.h"
#include "path.h"
#ifdef CWS_OLD_KERNEL
#include "outbox.h"
#endif
#include "tail.h"
#include "context.h"
#include "file.h"
#include "filter.h"
#include "walk.h"
#include "file_calls.h"
#include "call.h"
#include "file_event.h"
#include "network.h"
#include "network_calls.h"
#include "kernel_calls.h"
#include "kernel_event.h"
#include "target.h"
#include "mapping.h"
#include "caller.h"
#include "operation.h"

#ifndef CWS_OLD_KERNEL
#include "function.h"
#include "process_capabilities.bpf.c"
#endif
#include "process.bpf.c"
#include "cgroup.bpf.c"
#include "credentials.bpf.c"
#ifndef CWS_OLD_KERNEL
#include "snapshot.bpf.c"
#endif
#include "file_open.bpf.c"
#include "file_names.bpf.c"
#include "file_attributes.bpf.c"
#include "file_mounts.bpf.c"
#include "file_pipes.bpf.c"
#include "network_sockets.bpf.c"
#include "network_options.bpf.c"
#ifndef CWS_OLD_KERNEL
#include "network_flows.bpf.c"
#endif
#include "network_packets.bpf.c"
#include "kernel_processes.bpf.c"
#include "kernel_bpf.bpf.c"
#include "kernel_modules.bpf.c"
#include "kernel_memory.bpf.c"
#include "kernel_self.bpf.c"
#include "kernel_parameters.bpf.c"
#ifndef CWS_OLD_KERNEL
#include "kernel_selinux.bpf.c"
#include "compat.bpf.c"
#include "hooks_names.bpf.c"
#include "hooks_files.bpf.c"
#include "file_requests.bpf.c"
#include "hooks_xattr.bpf.c"
#include "hooks_places.bpf.c"
#include "hooks_sockets.bpf.c"
#include "hooks_calls.bpf.c"
#else
#include "stages.bpf.c"
#include "stages_walk.bpf.c"
#include "old_events.bpf.c"
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
