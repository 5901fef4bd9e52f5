/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bind, connect and accept, at their exit. Addresses are read from the kernel's socket, which is what the
 * call has left there, and not from the caller's memory, which another thread may have rewritten meanwhile. A
 * call that has failed leaves nothing there; then what is told is what the caller gave, and says so.
 *
 * TCP connections have one moment in common, however they are begun: the state SYN_SENT. What the socket was
 * connected to then is remembered for the exit of connect; where there is no such call (sending with fast
 * open, io_uring), the event is made at that moment.
 */

DEFINE_FORM_OF(bind, BIND_CALLS)
DEFINE_FORM_OF(connect, CONNECT_CALLS)
DEFINE_FORM_OF(accept, ACCEPT_CALLS)

/* include/net/tcp_states.h */
#define TCP_SYN_SENT 2

/* The peer of the connection that a thread has begun, until the exit of the call. */
struct connecting {
    __u8 address[16];
    /* 0 until it has begun. */
    __u16 family;
    __u16 port;
    /* A request of a ring waits for it. */
    __u32 of_ring;
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, __u64);
    __type(value, struct connecting);
} connections_begun SEC(".maps");

/* Whether the outcome of a connect is reported: also that there was no answer, since it was asked for. */
static __always_inline bool connect__is_reported(__s64 ret)
{
    switch (-ret) {
    case ENETUNREACH:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case EINPROGRESS:
    case ERESTARTSYS:
        return !current__is_probe();
    default:
        return call__is_reported(ret);
    }
}

/* The socket of the call: that which a hook saw, or the one behind the descriptor. */
static __always_inline struct sock *call__socket(const struct call *call, struct task_struct *task,
                                                 __s64 descriptor)
{
#ifndef CWS_OLD_KERNEL
    if (call->file)
        return file__socket((void *)call->file);
#endif
    return task__socket(task, descriptor);
}

/* Whether a rule may be about the address, as it is told. What could not be read may be anything. */
static __always_inline bool socket__is_wanted(const struct builder *builder, struct call *call)
{
    const struct socket_body *body = &builder->record->socket;
    struct filter *filter = judgement__filter(&call->judgement);

    if (!filter || builder->errors & ERROR_GIVEN_VALUE)
        return true;
    return judgement__narrow(&call->judgement,
                             filter__by_value(filter, body->family) & filter__by_port(filter, body->port));
}

/* Sends the record of a socket, if it is wanted. */
static __always_inline void socket__send(struct builder *builder, struct task_struct *task, __u16 kind,
                                         struct call *call)
{
    if (!socket__is_wanted(builder, call))
        return;
    builder->record->socket.retval = call->ret;
    file_event__send_crowded(builder, task, kind, call);
}

static __always_inline void socket_body__take_socket(struct socket_body *body, struct sock *sock)
{
    body->type = sock__type(sock);
    body->protocol = sock__protocol(sock);
}

/* Reads of the address that was given: a request of a ring has it in the kernel's memory. */
static __always_inline long given__read(void *to, const __u32 size, __u64 address, const struct call *call)
{
#ifndef CWS_OLD_KERNEL
    if (call->record_flags & RECORD_FLAG_ASYNC)
        return bpf_probe_read_kernel(to, size, (void *)address);
#endif
    return bpf_probe_read_user(to, size, (void *)address);
}

/* The address of `size` bytes that the caller gave. */
static __always_inline void socket_body__take_given(struct socket_body *body, struct builder *builder,
                                                    const struct call *call, __u64 address, __u64 size)
{
    struct any_address given = {};

    body->flags |= SOCKET_FLAG_GIVEN;
    if (size < sizeof(given.family) || given__read(&given.family, sizeof(given.family), address, call)) {
        builder->errors |= ERROR_GIVEN_VALUE;
        return;
    }
    body->family = given.family;
    if (given.family == AF_UNIX) {
        __u64 length = size - sizeof(given.family);

        if (length > UNIX_PATH_SIZE_MAX)
            length = UNIX_PATH_SIZE_MAX;
#ifndef CWS_OLD_KERNEL
        if (call->record_flags & RECORD_FLAG_ASYNC) {
            body->path = tail__append_kernel(builder, address + sizeof(given.family), length,
                                             UNIX_PATH_SIZE_MAX, ERROR_GIVEN_VALUE);
            return;
        }
#endif
        body->path = tail__append_user(builder, address + sizeof(given.family), length, UNIX_PATH_SIZE_MAX,
                                       ERROR_GIVEN_VALUE);
        return;
    }
    if (given.family != AF_INET && given.family != AF_INET6)
        return;
    if (given__read(&given, sizeof(given), address, call) && given__read(&given, 8, address, call)) {
        builder->errors |= ERROR_GIVEN_VALUE;
        return;
    }
    body->port = network__host_order(given.port);
    if (given.family == AF_INET)
        __builtin_memcpy(body->address, given.v4, 4);
    else
        __builtin_memcpy(body->address, given.v6, 16);
}

__noinline int socket__report_bind(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct socket_body));
    struct socket_body *body;
    struct sock *sock;

    if (!call || !record || !call__is_reported(call->ret) ||
        !file_event__may_be_wanted(call, KIND_BIND, task))
        return 0;
    body = &record->socket;
    body->descriptor = call->args[0];
    sock = call__socket(call, task, body->descriptor);
    if (!sock)
        return 0;
    socket_body__take_socket(body, sock);
    if (call->ret < 0) {
        socket_body__take_given(body, &builder, call, call->args[1], (__u32)call->args[2]);
    } else {
        socket_body__take_own(body, sock);
        if (body->family == AF_UNIX) {
            body->port = 0;
            socket_body__append_path(body, &builder, sock);
        } else if (body->family != AF_INET && body->family != AF_INET6) {
            body->port = 0;
        }
    }
    socket__send(&builder, task, KIND_BIND, call);
    return 0;
}

/* Takes what was remembered of the connection. */
static __always_inline bool socket_body__take_begun(struct socket_body *body)
{
    __u64 thread = bpf_get_current_pid_tgid();
    struct connecting *begun = bpf_map_lookup_elem(&connections_begun, &thread);

    bool has_begun = begun && begun->family;

    if (!begun)
        return false;
    if (has_begun) {
        body->family = begun->family;
        body->port = begun->port;
        __builtin_memcpy(body->address, begun->address, sizeof(body->address));
    }
    bpf_map_delete_elem(&connections_begun, &thread);
    return has_begun;
}

__noinline int socket__report_connect(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct socket_body));
    struct socket_body *body;
    struct sock *sock;
    bool begun;

    if (!call || !record || !connect__is_reported(call->ret) ||
        !file_event__may_be_wanted(call, KIND_CONNECT, task))
        return 0;
    body = &record->socket;
    body->descriptor = call->args[0];
    begun = socket_body__take_begun(body);
    sock = call__socket(call, task, body->descriptor);
    if (!sock && !begun)
        return 0;
    if (sock)
        socket_body__take_socket(body, sock);
    if (begun) {
        socket__send(&builder, task, KIND_CONNECT, call);
        return 0;
    }
    if (call->ret < 0 && call->ret != -EINPROGRESS) {
        socket_body__take_given(body, &builder, call, call->args[1], (__u32)call->args[2]);
        socket__send(&builder, task, KIND_CONNECT, call);
        return 0;
    }
    socket_body__take_peer(body, sock);
    if (body->family == AF_UNIX) {
        body->port = 0;
        if (bpf_core_type_exists(struct unix_sock))
            socket_body__append_path(body, &builder, BPF_CORE_READ((struct unix_sock *)sock, peer));
    } else if (body->family != AF_INET && body->family != AF_INET6) {
        body->port = 0;
    } else if (!body->port) {
        /* Of a datagram socket: connect with AF_UNSPEC takes the peer away. */
        struct socket_body given = {};

        socket_body__take_given(&given, &builder, call, call->args[1], (__u32)call->args[2]);
        if (given.family == AF_UNSPEC)
            body->family = AF_UNSPEC;
    }
    socket__send(&builder, task, KIND_CONNECT, call);
    return 0;
}

__noinline int socket__report_accept(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct socket_body));
    struct socket_body *body;
    struct sock *sock;

    if (!call || !record || !call__is_reported(call->ret) ||
        !file_event__may_be_wanted(call, KIND_ACCEPT, task))
        return 0;
    body = &record->socket;
    /* A call that was refused has no socket of its own: its listener is told. */
    body->descriptor = call->ret < 0 || call->file ? (__s32)call->args[0] : (__s32)call->ret;
    sock = call__socket(call, task, body->descriptor);
    if (!sock)
        return 0;
    socket_body__take_socket(body, sock);
    if (call->ret < 0)
        body->family = BPF_CORE_READ(sock, __sk_common.skc_family);
    else
        socket_body__take_peer(body, sock);
    if (body->family != AF_INET && body->family != AF_INET6)
        body->port = 0;
    if (body->family == AF_UNIX && bpf_core_type_exists(struct unix_sock))
        socket_body__append_path(body, &builder, BPF_CORE_READ((struct unix_sock *)sock, peer));
    socket__send(&builder, task, KIND_ACCEPT, call);
    return 0;
}

#define SOCKET_EXIT(family, kind)                                                                            \
    static __always_inline int family##__exit(__u32 form, __s64 ret, __u32 record_flags)                     \
    {                                                                                                        \
        if (form != FORM_NONE && filter__keeps(kind) != FILTER_KEEP_NONE &&                                  \
            call__load(form, ret, record_flags))                                                             \
            socket__report_##family(bpf_get_current_task());                                                 \
        return 0;                                                                                            \
    }

SOCKET_EXIT(bind, KIND_BIND)
SOCKET_EXIT(connect, KIND_CONNECT)
SOCKET_EXIT(accept, KIND_ACCEPT)

FILE_EXIT(bind, bind)
FILE_EXIT(connect, connect)
FILE_EXIT(accept, accept)

/* The system call that the current task is in; -1 if it is in none. */
static __always_inline __s32 task__call_number(struct task_struct *task)
{
    struct pt_regs *registers = task__entry_registers();

#if defined(__TARGET_ARCH_x86)
    return BPF_CORE_READ(registers, orig_ax);
#elif defined(__TARGET_ARCH_arm64)
    return BPF_CORE_READ(registers, regs[8]);
#endif
}

static __always_inline bool task__is_in_connect(struct task_struct *task)
{
    __s32 number = task__call_number(task);

    if (task__in_compat_call(task))
        return connect__form_i386(number) != FORM_NONE || number == 102 /* socketcall */;
    return connect__form(number & 0xffff) != FORM_NONE;
}

/* The address of the socket is the first argument of the call in the scratch: the verifier refuses it as that
 * of a function. */
__noinline int connect__begin_without_call(__u64 task_address)
{
    struct task_struct *task = (void *)task_address;
    struct call *call = call__scratch();
    struct builder builder = {};
    struct record *record = file_event__begin(&builder, sizeof(struct socket_body));
    struct socket_body *body;
    struct sock *sock;

    if (!call || !record || !file_event__may_be_wanted(call, KIND_CONNECT, task))
        return 0;
    sock = (void *)call->args[0];
    body = &record->socket;
    body->descriptor = -1;
    body->flags = SOCKET_FLAG_NO_CALL;
    socket_body__take_socket(body, sock);
    socket_body__take_peer(body, sock);
    call->ret = -EINPROGRESS;
    call->record_flags = 0;
    if (task_flags__are_of_io_worker(BPF_CORE_READ(task, flags)) ||
        task__call_number(task) == 426 /* io_uring_enter, everywhere */)
        call->record_flags = RECORD_FLAG_ASYNC;
    socket__send(&builder, task, KIND_CONNECT, call);
    return 0;
}

static __always_inline bool connecting__of_ring(__u64 thread)
{
    struct connecting *begun = bpf_map_lookup_elem(&connections_begun, &thread);

    return begun && begun->of_ring;
}

static __always_inline int tcp_state(struct sock *sock)
{
    struct task_struct *task = (void *)bpf_get_current_task();
    __u64 thread = bpf_get_current_pid_tgid();
    struct connecting begun = {};
    struct socket_body body = {};
    struct call *call = call__scratch();

    if (filter__keeps(KIND_CONNECT) == FILTER_KEEP_NONE)
        return 0;
    if (!call || BPF_CORE_READ(task, flags) & PF_KTHREAD)
        return 0;
    begun.of_ring = connecting__of_ring(thread);
    if (!task__is_in_connect(task) && !begun.of_ring) {
        call->args[0] = (__u64)sock;
        return connect__begin_without_call((__u64)task);
    }
    socket_body__take_peer(&body, sock);
    begun.family = body.family;
    begun.port = body.port;
    __builtin_memcpy(begun.address, body.address, sizeof(begun.address));
    bpf_map_update_elem(&connections_begun, &thread, &begun, BPF_ANY);
    return 0;
}

AT_TRACEPOINT("inet_sock_set_state")
int BPF_PROG(on_tcp_state, struct sock *sock, int old_state, int state)
{
    /* Other states are also reached in interrupts, in the middle of a program of whatever runs there. */
    if (state != TCP_SYN_SENT)
        return 0;
    return SENDING(ctx, KIND_CONNECT, tcp_state(sock));
}
