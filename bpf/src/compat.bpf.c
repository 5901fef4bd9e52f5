/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls that have no tracepoint of their own: those of 32-bit code (i386 programs, and any program by int
 * 0x80), which have numbers of their own, and those of the x32 interface. These two programs run on every
 * system call and return at once unless it is such a call. On x86 alone; the 32-bit calls of arm64 are not
 * watched.
 */

#if defined(__TARGET_ARCH_x86)

/* CALL(number on i386, of a call of the credentials family). */
#define SETUID_CALLS_I386(CALL)   CALL(23) CALL(70) CALL(164) CALL(203) CALL(208) CALL(213)
#define SETGID_CALLS_I386(CALL)   CALL(46) CALL(71) CALL(170) CALL(204) CALL(210) CALL(214)
#define SETFSUID_CALLS_I386(CALL) CALL(138) CALL(215)
#define SETFSGID_CALLS_I386(CALL) CALL(139) CALL(216)
#define CAPSET_CALL_I386          185

#define OR_NUMBER_IS(i386) || number == i386

/* KIND_* of a call of the credentials family, 0 for any other. */
static __always_inline __u16 credentials__kind_i386(__s32 number)
{
    if (0 SETUID_CALLS_I386(OR_NUMBER_IS) SETFSUID_CALLS_I386(OR_NUMBER_IS))
        return KIND_SETUID;
    if (0 SETGID_CALLS_I386(OR_NUMBER_IS) SETFSGID_CALLS_I386(OR_NUMBER_IS))
        return KIND_SETGID;
    return number == CAPSET_CALL_I386 ? KIND_CAPSET : 0;
}

static __always_inline int credentials__success_i386(__s32 number)
{
    return 0 SETFSUID_CALLS_I386(OR_NUMBER_IS) SETFSGID_CALLS_I386(OR_NUMBER_IS) ? SUCCESS_IS_CHANGE
                                                                                 : SUCCESS_IS_ZERO;
}

/* EACH(family): those with a program at their entry, and those without. In groups, each looked at in a
 * function of its own: what one needs of the stack does not add to that of the others. */
#define FILE_FAMILIES_WITH_ENTER(EACH)                                                                       \
    EACH(remove)                                                                                             \
    EACH(rename)                                                                                             \
    EACH(link)                                                                                               \
    EACH(chmod)                                                                                              \
    EACH(chown)                                                                                              \
    EACH(utimes)                                                                                             \
    EACH(xattr)                                                                                              \
    EACH(umount)                                                                                             \
    EACH(splice)
#define FILE_FAMILIES(EACH)                                                                                  \
    EACH(open)                                                                                               \
    EACH(mkdir)                                                                                              \
    EACH(chdir)                                                                                              \
    EACH(mount)                                                                                              \
    FILE_FAMILIES_WITH_ENTER(EACH)
#define NETWORK_FAMILIES(EACH)                                                                               \
    EACH(bind)                                                                                               \
    EACH(connect)                                                                                            \
    EACH(accept)                                                                                             \
    EACH(setsockopt)
#define KERNEL_FAMILIES_WITH_ENTER(EACH)                                                                     \
    EACH(ptrace)                                                                                             \
    EACH(signal)                                                                                             \
    EACH(mprotect)                                                                                           \
    EACH(vm_write)
#define KERNEL_FAMILIES(EACH)                                                                                \
    EACH(bpf)                                                                                                \
    EACH(load_module)                                                                                        \
    EACH(unload_module)                                                                                      \
    EACH(mmap)                                                                                               \
    EACH(setrlimit)                                                                                          \
    EACH(prctl)                                                                                              \
    EACH(namespaces)                                                                                         \
    EACH(descriptor)                                                                                         \
    KERNEL_FAMILIES_WITH_ENTER(EACH)

#define KIND_OF_open          KIND_OPEN
#define KIND_OF_mkdir         KIND_MKDIR
#define KIND_OF_remove        KIND_UNLINK
#define KIND_OF_rename        KIND_RENAME
#define KIND_OF_link          KIND_LINK
#define KIND_OF_chdir         KIND_CHDIR
#define KIND_OF_chmod         KIND_CHMOD
#define KIND_OF_chown         KIND_CHOWN
#define KIND_OF_utimes        KIND_UTIMES
#define KIND_OF_xattr         KIND_SETXATTR
#define KIND_OF_mount         KIND_MOUNT
#define KIND_OF_umount        KIND_UMOUNT
#define KIND_OF_splice        KIND_SPLICE
#define KIND_OF_bind          KIND_BIND
#define KIND_OF_connect       KIND_CONNECT
#define KIND_OF_accept        KIND_ACCEPT
#define KIND_OF_setsockopt    KIND_SETSOCKOPT
#define KIND_OF_ptrace        KIND_PTRACE
#define KIND_OF_signal        KIND_SIGNAL
#define KIND_OF_mprotect      KIND_MPROTECT
#define KIND_OF_vm_write      KIND_PROCESS_VM_WRITEV
#define KIND_OF_bpf           KIND_BPF
#define KIND_OF_load_module   KIND_LOAD_MODULE
#define KIND_OF_unload_module KIND_UNLOAD_MODULE
#define KIND_OF_mmap          KIND_MMAP
#define KIND_OF_setrlimit     KIND_SETRLIMIT
#define KIND_OF_prctl         KIND_PRCTL
#define KIND_OF_namespaces    KIND_UNSHARE
#define KIND_OF_descriptor    KIND_MEMFD_CREATE

/* Whether a family is reported already. */
#define AT_FUNCTIONS(family) KIND_AT_FUNCTIONS(KIND_OF_##family)

#define ENTER_I386(family)                                                                                   \
    form = family##__form_i386(number);                                                                      \
    if (form != FORM_NONE)                                                                                   \
        return AT_FUNCTIONS(family) ? 0 : family##__enter(form, RECORD_FLAG_COMPAT);
#define EXIT_I386(family)                                                                                    \
    form = family##__form_i386(number);                                                                      \
    if (form != FORM_NONE)                                                                                   \
        return AT_FUNCTIONS(family) ? 0 : family##__exit(form, ret, RECORD_FLAG_COMPAT);
#define ENTER_X32(family)                                                                                    \
    form = family##__form(number);                                                                           \
    if (form != FORM_NONE)                                                                                   \
        return AT_FUNCTIONS(family) ? 0 : family##__enter(form, 0);
#define EXIT_X32(family)                                                                                     \
    form = family##__form(number);                                                                           \
    if (form != FORM_NONE)                                                                                   \
        return AT_FUNCTIONS(family) ? 0 : family##__exit(form, ret, 0);

/* Functions of their own, so that their variables don't add to the stack of the others. */
__noinline int compat__enter_credentials(void)
{
    return credentials__enter();
}

__noinline int compat__exit_credentials(__u64 number, __u64 ret)
{
    return credentials__exit(ret, credentials__kind_i386(number), credentials__success_i386(number),
                             RECORD_FLAG_COMPAT);
}

/* socketcall: one call for all that is done to sockets, with the arguments in the caller's memory. */
#define SOCKETCALL_I386 102

__noinline int compat__exit_socketcall(__u64 ret)
{
    __u32 form = call__load_socketcall(ret);

    if (form == FORM_BIND)
        return socket__report_bind(bpf_get_current_task());
    if (form == FORM_CONNECT)
        return socket__report_connect(bpf_get_current_task());
    if (form == FORM_ACCEPT)
        return socket__report_accept(bpf_get_current_task());
    if (form == FORM_SETSOCKOPT)
        return setsockopt__report(bpf_get_current_task());
    return 0;
}

__noinline int compat__exit_network(__u64 number, __u64 ret)
{
    __u32 form;

    /* One program at its function reports all that it does. */
    if (number == SOCKETCALL_I386)
        return AT_FUNCTIONS(bind) ? 0 : compat__exit_socketcall(ret);
    NETWORK_FAMILIES(EXIT_I386)
    return 0;
}

__noinline int x32__exit_network(__u64 number, __u64 ret)
{
    __u32 form;

    NETWORK_FAMILIES(EXIT_X32)
    return 0;
}

__noinline int compat__enter_kernel(__u64 number)
{
    __u32 form;

    KERNEL_FAMILIES_WITH_ENTER(ENTER_I386)
    return 0;
}

__noinline int x32__enter_kernel(__u64 number)
{
    __u32 form;

    KERNEL_FAMILIES_WITH_ENTER(ENTER_X32)
    return 0;
}

__noinline int compat__exit_kernel(__u64 number, __u64 ret)
{
    __u32 form;

    KERNEL_FAMILIES(EXIT_I386)
    return compat__exit_network(number, ret);
}

__noinline int x32__exit_kernel(__u64 number, __u64 ret)
{
    __u32 form;

    KERNEL_FAMILIES(EXIT_X32)
    return x32__exit_network(number, ret);
}

static __always_inline int compat__enter(__s32 number)
{
    __u16 kind;
    __u32 form;

    kind = credentials__kind_i386(number);
    if (kind)
        return KIND_AT_FUNCTIONS(kind) ? 0 : compat__enter_credentials();
    FILE_FAMILIES_WITH_ENTER(ENTER_I386)
    return compat__enter_kernel((__u32)number);
}

static __always_inline int compat__exit(__s32 number, long ret)
{
    __u16 kind;
    __u32 form;

    kind = credentials__kind_i386(number);
    if (kind)
        return KIND_AT_FUNCTIONS(kind) ? 0 : compat__exit_credentials(number, ret);
    FILE_FAMILIES(EXIT_I386)
    return compat__exit_kernel((__u32)number, ret);
}

static __always_inline int x32__enter(__s32 number)
{
    __u32 form;

    FILE_FAMILIES_WITH_ENTER(ENTER_X32)
    return x32__enter_kernel((__u32)number);
}

static __always_inline int x32__exit(__s32 number, long ret)
{
    __u32 form;

    FILE_FAMILIES(EXIT_X32)
    return x32__exit_kernel((__u32)number, ret);
}

AT_TRACEPOINT("sys_enter")
int BPF_PROG(on_compat_enter, struct pt_regs *registers, long number)
{
    bool is_compat = task__in_compat_call((void *)bpf_get_current_task());
    bool is_x32 = number > 0 && number & X32_SYSCALL_BIT;

    if (is_compat)
        return REMEMBERING(compat__enter(number));
    if (is_x32)
        return REMEMBERING(x32__enter(number & ~X32_SYSCALL_BIT));
    return 0;
}

AT_TRACEPOINT("sys_exit")
int BPF_PROG(on_compat_exit, struct pt_regs *registers, long ret)
{
    __s64 number = BPF_CORE_READ(registers, orig_ax);

    if (task__in_compat_call((void *)bpf_get_current_task()))
        return SENDING(ctx, KIND_UNKNOWN, compat__exit(number, ret));
    if (number > 0 && number & X32_SYSCALL_BIT)
        return SENDING(ctx, KIND_UNKNOWN, x32__exit(number & ~X32_SYSCALL_BIT, ret));
    return 0;
}

#endif
