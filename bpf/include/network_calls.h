/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The system calls that act on sockets, as in file_calls.h. */
#ifndef NETWORK_CALLS_H
#define NETWORK_CALLS_H

#define BIND_CALLS(CALL)    CALL(BIND, 49, 200, 361)
#define CONNECT_CALLS(CALL) CALL(CONNECT, 42, 203, 362)
#define ACCEPT_CALLS(CALL)                                                                                   \
    CALL(ACCEPT, 43, 202, NO)                                                                                \
    CALL(ACCEPT4, 288, 242, 364)
#define SETSOCKOPT_CALLS(CALL) CALL(SETSOCKOPT, 54, 208, 366)

#define NETWORK_CALLS(CALL)                                                                                  \
    BIND_CALLS(CALL)                                                                                         \
    CONNECT_CALLS(CALL)                                                                                      \
    ACCEPT_CALLS(CALL)                                                                                       \
    SETSOCKOPT_CALLS(CALL)

/* Apart from those of files. */
enum network_form {
    FORM_NETWORK = 1000,
#define ENUMERATOR(name, x86_64, arm64, i386) FORM_##name,
    NETWORK_CALLS(ENUMERATOR)
#undef ENUMERATOR
};

/* i386's socketcall: the number of the call, and the address of its arguments. */
#define SYS_BIND       2
#define SYS_CONNECT    3
#define SYS_ACCEPT     5
#define SYS_SETSOCKOPT 14
#define SYS_ACCEPT4    18

/* Puts the call that a socketcall stands for in the call scratch. FORM_NONE if it is of no interest. */
static __always_inline __u32 call__load_socketcall(__s64 ret)
{
    struct call *call;
    __u32 arguments[5] = {};
    __u32 form = FORM_NONE;

    if (!call__load(FORM_NONE, ret, RECORD_FLAG_COMPAT))
        return FORM_NONE;
    call = call__scratch();
    if (!call)
        return FORM_NONE;
    switch (call->args[0]) {
    case SYS_BIND:
        form = FORM_BIND;
        break;
    case SYS_CONNECT:
        form = FORM_CONNECT;
        break;
    case SYS_ACCEPT:
    case SYS_ACCEPT4:
        form = FORM_ACCEPT;
        break;
    case SYS_SETSOCKOPT:
        form = FORM_SETSOCKOPT;
        break;
    default:
        return FORM_NONE;
    }
    /* The three that all of them have come first. */
    if (bpf_probe_read_user(arguments, 12, (void *)call->args[1]))
        return FORM_NONE;
    if (form == FORM_SETSOCKOPT)
        bpf_probe_read_user(arguments, sizeof(arguments), (void *)call->args[1]);
    call->form = form;
    WRITTEN_OUT
    for (int i = 0; i < 5; i++)
        call->args[i] = arguments[i];
    return form;
}

#endif /* NETWORK_CALLS_H */
