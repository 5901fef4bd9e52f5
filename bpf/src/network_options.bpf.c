/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * setsockopt. The filter that it attaches is read from the socket, where the kernel keeps it as it was given.
 */

DEFINE_FORM_OF(setsockopt, SETSOCKOPT_CALLS)

/* uapi/asm-generic/socket.h */
#define SOL_SOCKET       1
#define SO_ATTACH_FILTER 26

/* sizeof(struct sock_filter) */
#define INSTRUCTION_SIZE       8
#define SOCKET_FILTER_SIZE_MAX (SOCKET_FILTER_INSTRUCTIONS_MAX * INSTRUCTION_SIZE)

/* Appends the classic BPF program that is attached to a socket. */
static __always_inline void setsockopt_body__append_filter(struct setsockopt_body *body,
                                                           struct builder *builder, struct sock *sock)
{
    struct sock_fprog_kern *program = BPF_CORE_READ(sock, sk_filter, prog, orig_prog);
    struct sock_filter *instructions = BPF_CORE_READ(program, filter);
    __u64 used = builder->used;
    __u64 size;

    body->filter_length = BPF_CORE_READ(program, len);
    size = (__u64)body->filter_length * INSTRUCTION_SIZE;
    if (size > SOCKET_FILTER_SIZE_MAX) {
        size = SOCKET_FILTER_SIZE_MAX;
        body->flags |= SOCKET_FLAG_FILTER_TRUNCATED;
    }
    if (!size || used > RECORD_SIZE_MAX - SOCKET_FILTER_SIZE_MAX - 8)
        return;
    barrier_var(used);
    if (used > RECORD_SIZE_MAX - SOCKET_FILTER_SIZE_MAX - 8)
        return;
    POSSIBLE_OFFSET(used);
    if (bpf_probe_read_kernel(builder->record->bytes + used, CUT(size, SOCKET_FILTER_SIZE_MAX),
                              instructions)) {
        builder->errors |= ERROR_GIVEN_VALUE;
        return;
    }
    body->filter.offset = used;
    body->filter.length = size;
    builder->used = used + size;
}

__noinline int setsockopt__report(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct setsockopt_body));
    struct setsockopt_body *body;
    struct sock *sock;

    if (!call || !record || !call__is_reported(call->ret) ||
        !file_event__may_be_wanted(call, KIND_SETSOCKOPT, task))
        return 0;
    body = &record->setsockopt;
    body->descriptor = call->args[0];
    body->level = call->args[1];
    body->option = call->args[2];
    sock = task__socket(task, body->descriptor);
    if (!sock)
        return 0;
    body->family = BPF_CORE_READ(sock, __sk_common.skc_family);
    body->type = sock__type(sock);
    body->protocol = sock__protocol(sock);
    if (body->level == SOL_SOCKET && body->option == SO_ATTACH_FILTER && call->ret == 0)
        setsockopt_body__append_filter(body, &builder, sock);
    file_event__send(&builder, task, KIND_SETSOCKOPT, call);
    return 0;
}

static __always_inline int setsockopt__exit(__u32 form, __s64 ret, __u32 record_flags)
{
    if (form != FORM_NONE && call__is_reported(ret) && filter__keeps(KIND_SETSOCKOPT) != FILTER_KEEP_NONE &&
        call__load(form, ret, record_flags))
        setsockopt__report(bpf_get_current_task());
    return 0;
}

FILE_EXIT(setsockopt, setsockopt)
