/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What rings do with sockets, at the functions that they share with the calls, which have hooks of their own.
 */

/* Whether the current operation is a request of a ring. */
#define IS_OF_RING(family, form)                                                                             \
    static __always_inline bool family##__is_of_ring(struct caller *caller)                                  \
    {                                                                                                        \
        return caller__find(caller) && CALLER_FORM(caller, family, form) == form &&                          \
               caller->record_flags & RECORD_FLAG_ASYNC;                                                     \
    }

IS_OF_RING(bind, FORM_BIND)
IS_OF_RING(connect, FORM_CONNECT)
IS_OF_RING(accept, FORM_ACCEPT4)

/* Loads the request into the call scratch: the socket's file, and the address in the kernel's memory. */
static __always_inline struct call *ring__load(__u32 form, __s64 ret, __u64 file, __u64 address, __u32 size)
{
    struct call *call;

    if (!call__load(form, ret, RECORD_FLAG_ASYNC))
        return NULL;
    call = call__scratch();
    if (!call)
        return NULL;
    /* Of a descriptor nothing is known. */
    call->args[0] = -1;
    call->args[1] = address;
    call->args[2] = size;
    call->file = file;
    return call;
}

/* ---- connect ---------------------------------------------------------------------------------------- */

/* What does not come about at once is tried again: it is told the first time. */
static __always_inline int connect__ring_enter(struct file *file)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct connecting begun = {.of_ring = true};
    struct socket *socket;
    struct caller caller;

    if (filter__keeps(KIND_CONNECT) == FILTER_KEEP_NONE || !connect__is_of_ring(&caller))
        return 0;
    socket = BPF_CORE_READ(file, private_data);
    if (BPF_CORE_READ(socket, state) == SS_CONNECTING)
        return 0;
    bpf_map_update_elem(&connections_begun, &thread, &begun, BPF_ANY);
    return 0;
}

AT_ENTRY("__sys_connect_file", enter_connect_file, 1,
         connect__ring_enter((void *)address_of((void *)arguments[0])))

static __always_inline int connect__ring_exit(__u64 *arguments)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct caller caller;

    if (filter__keeps(KIND_CONNECT) == FILTER_KEEP_NONE || !connect__is_of_ring(&caller) ||
        !connecting__of_ring(thread))
        return 0;
    if (connect__is_reported((__s32)arguments[4]) &&
        ring__load(FORM_CONNECT, (__s32)arguments[4], address_of((void *)arguments[0]),
                   address_of((void *)arguments[1]), arguments[2]))
        socket__report_connect(bpf_get_current_task());
    bpf_map_delete_elem(&connections_begun, &thread);
    return 0;
}

AT_RETURN("__sys_connect_file", exit_connect_file, 4,
          WITH_SCRATCH(KIND_CONNECT, connect__ring_exit(arguments)))

/* ---- accept, bind ----------------------------------------------------------------------------------- */

/* It returns the file of the new socket, which has no descriptor yet. */
static __always_inline int accept__ring_exit(__u64 *arguments)
{
    __u64 file = address_of((void *)arguments[5]);
    __s64 ret = file >= (__u64)-4095 ? (__s64)file : 0;
    struct caller caller;

    if (!call__is_reported(ret) || filter__keeps(KIND_ACCEPT) == FILTER_KEEP_NONE ||
        !accept__is_of_ring(&caller))
        return 0;
    /* A refused one has no socket of its own: its listener is told. */
    if (ring__load(FORM_ACCEPT4, ret, ret < 0 ? address_of((void *)arguments[0]) : file, 0, 0))
        socket__report_accept(bpf_get_current_task());
    return 0;
}

AT_RETURN("do_accept", exit_do_accept, 5, WITH_SCRATCH(KIND_ACCEPT, accept__ring_exit(arguments)))

static __always_inline int bind__ring_exit(__u64 *arguments)
{
    struct socket *socket = (void *)address_of((void *)arguments[0]);
    struct caller caller;

    if (!call__is_reported((__s32)arguments[3]) || filter__keeps(KIND_BIND) == FILTER_KEEP_NONE ||
        !bind__is_of_ring(&caller))
        return 0;
    if (ring__load(FORM_BIND, (__s32)arguments[3], (__u64)BPF_CORE_READ(socket, file),
                   address_of((void *)arguments[1]), arguments[2]))
        socket__report_bind(bpf_get_current_task());
    return 0;
}

AT_RETURN("__sys_bind_socket", exit_bind_socket, 3, WITH_SCRATCH(KIND_BIND, bind__ring_exit(arguments)))
