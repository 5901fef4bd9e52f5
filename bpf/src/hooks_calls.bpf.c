/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Calls at the functions by which the kernel enters them, one for each width of callers. The bodies are those
 * of the tracepoints; but such a program costs no other call anything, a 32-bit call is seen like any other,
 * and no number of calls that are under way at one time is too many (a return probe has room for a few).
 */

#if defined(__TARGET_ARCH_x86)
#define NATIVE "__x64_sys_"
#elif defined(__TARGET_ARCH_arm64)
#define NATIVE "__arm64_sys_"
#endif
/* 32-bit code on x86; compat where its arguments are of another form. */
#define IA32   "__ia32_sys_"
#define COMPAT "__ia32_compat_sys_"

/* Functions of their own, so that the programs of a family differ by where they are attached and nothing
 * else. */
#define LEAVE(family, kind)                                                                                  \
    __noinline int family##__leave(__u64 ret)                                                                \
    {                                                                                                        \
        struct caller caller;                                                                                \
        __u32 form;                                                                                          \
                                                                                                             \
        if (!caller__find(&caller))                                                                          \
            return 0;                                                                                        \
        form = CALLER_FORM(&caller, family, FORM_NONE);                                                      \
        if (form != FORM_NONE)                                                                               \
            WITH_SCRATCH(kind, family##__exit(form, ret, caller.record_flags));                              \
        return 0;                                                                                            \
    }

/* Without it an event is told all the same, and says that earlier values are unknown: nothing to count. */
#define ARRIVE(family)                                                                                       \
    __noinline int family##__arrive(void)                                                                    \
    {                                                                                                        \
        struct caller caller;                                                                                \
        __u32 form;                                                                                          \
                                                                                                             \
        if (!caller__find(&caller))                                                                          \
            return 0;                                                                                        \
        form = CALLER_FORM(&caller, family, FORM_NONE);                                                      \
        if (form == FORM_NONE || !scratch__take())                                                           \
            return 0;                                                                                        \
        family##__enter(form, caller.record_flags);                                                          \
        scratch__give_back();                                                                                \
        return 0;                                                                                            \
    }

#define EXIT(width, prefix, family, call)                                                                    \
    SEC("fexit/" prefix #call)                                                                               \
    int width##_exit_##call(__u64 *ctx)                                                                      \
    {                                                                                                        \
        return family##__leave(ctx[1]);                                                                      \
    }

#define ENTER(width, prefix, family, call)                                                                   \
    SEC("fentry/" prefix #call)                                                                              \
    int width##_enter_##call(__u64 *ctx)                                                                     \
    {                                                                                                        \
        return family##__arrive();                                                                           \
    }

#if defined(__TARGET_ARCH_x86)
#define EXIT_IA32(family, call)    EXIT(ia32, IA32, family, call)
#define EXIT_COMPAT(family, call)  EXIT(compat, COMPAT, family, call)
#define ENTER_IA32(family, call)   ENTER(ia32, IA32, family, call)
#define ENTER_COMPAT(family, call) ENTER(compat, COMPAT, family, call)
#else
#define EXIT_IA32(family, call)
#define EXIT_COMPAT(family, call)
#define ENTER_IA32(family, call)
#define ENTER_COMPAT(family, call)
#endif

/* A call of one name for both widths; both sides of it; both sides of one that 32-bit code has another entry
 * for. */
#define EXIT_ALIKE(family, call)                                                                             \
    EXIT(native, NATIVE, family, call)                                                                       \
    EXIT_IA32(family, call)
#define BOTH_ALIKE(family, call)                                                                             \
    EXIT_ALIKE(family, call)                                                                                 \
    ENTER(native, NATIVE, family, call)                                                                      \
    ENTER_IA32(family, call)
#define EXIT_APART(family, call)                                                                             \
    EXIT(native, NATIVE, family, call)                                                                       \
    EXIT_COMPAT(family, call)
#define BOTH_APART(family, call)                                                                             \
    EXIT_APART(family, call)                                                                                 \
    ENTER(native, NATIVE, family, call)                                                                      \
    ENTER_COMPAT(family, call)

/* ---- files ------------------------------------------------------------------------------------------ */

LEAVE(chdir, KIND_CHDIR)
EXIT_ALIKE(chdir, chdir)
EXIT_ALIKE(chdir, fchdir)

ARRIVE(xattr)
LEAVE(xattr, KIND_SETXATTR)
BOTH_ALIKE(xattr, setxattr)
BOTH_ALIKE(xattr, lsetxattr)
BOTH_ALIKE(xattr, fsetxattr)
BOTH_ALIKE(xattr, setxattrat)
BOTH_ALIKE(xattr, removexattr)
BOTH_ALIKE(xattr, lremovexattr)
BOTH_ALIKE(xattr, fremovexattr)
BOTH_ALIKE(xattr, removexattrat)

LEAVE(mount, KIND_MOUNT)
EXIT_ALIKE(mount, mount)
EXIT_ALIKE(mount, fsmount)
EXIT_ALIKE(mount, open_tree)
EXIT_ALIKE(mount, open_tree_attr)
EXIT_ALIKE(mount, move_mount)
EXIT_ALIKE(mount, pivot_root)

ARRIVE(umount)
LEAVE(umount, KIND_UMOUNT)
BOTH_ALIKE(umount, umount)
EXIT_IA32(umount, oldumount)
ENTER_IA32(umount, oldumount)

ARRIVE(splice)
LEAVE(splice, KIND_SPLICE)
BOTH_ALIKE(splice, splice)

/* ---- credentials ------------------------------------------------------------------------------------ */

/* Calls with 16-bit ids are of 32-bit code alone. */
#define CREDENTIALS(width, prefix, call, kind, success, flags)                                               \
    SEC("fentry/" prefix #call)                                                                              \
    int width##_enter_##call(__u64 *ctx)                                                                     \
    {                                                                                                        \
        return credentials__enter();                                                                         \
    }                                                                                                        \
    SEC("fexit/" prefix #call)                                                                               \
    int width##_exit_##call(__u64 *ctx)                                                                      \
    {                                                                                                        \
        return credentials__exit(ctx[1], kind, success, flags);                                              \
    }

#if defined(__TARGET_ARCH_x86)
#define CREDENTIALS_IA32(call, kind, success) CREDENTIALS(ia32, IA32, call, kind, success, RECORD_FLAG_COMPAT)
#else
#define CREDENTIALS_IA32(call, kind, success)
#endif
#define CREDENTIALS_ALIKE(call, kind, success)                                                               \
    CREDENTIALS(native, NATIVE, call, kind, success, 0)                                                      \
    CREDENTIALS_IA32(call, kind, success)

CREDENTIALS_ALIKE(setuid, KIND_SETUID, SUCCESS_IS_ZERO)
CREDENTIALS_ALIKE(setreuid, KIND_SETUID, SUCCESS_IS_ZERO)
CREDENTIALS_ALIKE(setresuid, KIND_SETUID, SUCCESS_IS_ZERO)
CREDENTIALS_ALIKE(setfsuid, KIND_SETUID, SUCCESS_IS_CHANGE)
CREDENTIALS_IA32(setuid16, KIND_SETUID, SUCCESS_IS_ZERO)
CREDENTIALS_IA32(setreuid16, KIND_SETUID, SUCCESS_IS_ZERO)
CREDENTIALS_IA32(setresuid16, KIND_SETUID, SUCCESS_IS_ZERO)
CREDENTIALS_IA32(setfsuid16, KIND_SETUID, SUCCESS_IS_CHANGE)
CREDENTIALS_ALIKE(setgid, KIND_SETGID, SUCCESS_IS_ZERO)
CREDENTIALS_ALIKE(setregid, KIND_SETGID, SUCCESS_IS_ZERO)
CREDENTIALS_ALIKE(setresgid, KIND_SETGID, SUCCESS_IS_ZERO)
CREDENTIALS_ALIKE(setfsgid, KIND_SETGID, SUCCESS_IS_CHANGE)
CREDENTIALS_IA32(setgid16, KIND_SETGID, SUCCESS_IS_ZERO)
CREDENTIALS_IA32(setregid16, KIND_SETGID, SUCCESS_IS_ZERO)
CREDENTIALS_IA32(setresgid16, KIND_SETGID, SUCCESS_IS_ZERO)
CREDENTIALS_IA32(setfsgid16, KIND_SETGID, SUCCESS_IS_CHANGE)
CREDENTIALS_ALIKE(capset, KIND_CAPSET, SUCCESS_IS_ZERO)

/* ---- network ---------------------------------------------------------------------------------------- */

LEAVE(bind, KIND_BIND)
EXIT_ALIKE(bind, bind)

LEAVE(connect, KIND_CONNECT)
EXIT_ALIKE(connect, connect)

LEAVE(accept, KIND_ACCEPT)
EXIT(native, NATIVE, accept, accept)
EXIT_ALIKE(accept, accept4)

LEAVE(setsockopt, KIND_SETSOCKOPT)
EXIT_APART(setsockopt, setsockopt)

#if defined(__TARGET_ARCH_x86)
/* One call of 32-bit code for all that is done to sockets. */
SEC("fexit/" COMPAT "socketcall")
int compat_exit_socketcall(__u64 *ctx)
{
    WITH_SCRATCH(KIND_BIND, compat__exit_socketcall(ctx[1]));
    return 0;
}
#endif

/* ---- kernel activity -------------------------------------------------------------------------------- */

ARRIVE(ptrace)
LEAVE(ptrace, KIND_PTRACE)
BOTH_APART(ptrace, ptrace)

ARRIVE(signal)
LEAVE(signal, KIND_SIGNAL)
BOTH_ALIKE(signal, kill)
BOTH_ALIKE(signal, tkill)
BOTH_ALIKE(signal, tgkill)
BOTH_APART(signal, rt_sigqueueinfo)
BOTH_APART(signal, rt_tgsigqueueinfo)
BOTH_ALIKE(signal, pidfd_send_signal)

LEAVE(bpf, KIND_BPF)
EXIT_ALIKE(bpf, bpf)

LEAVE(load_module, KIND_LOAD_MODULE)
EXIT_ALIKE(load_module, init_module)
EXIT_ALIKE(load_module, finit_module)

LEAVE(unload_module, KIND_UNLOAD_MODULE)
EXIT_ALIKE(unload_module, delete_module)

LEAVE(mmap, KIND_MMAP)
EXIT(native, NATIVE, mmap, mmap)
EXIT_IA32(mmap, mmap_pgoff)

ARRIVE(mprotect)
LEAVE(mprotect, KIND_MPROTECT)
BOTH_ALIKE(mprotect, mprotect)
BOTH_ALIKE(mprotect, pkey_mprotect)

LEAVE(setrlimit, KIND_SETRLIMIT)
EXIT_APART(setrlimit, setrlimit)
EXIT_ALIKE(setrlimit, prlimit64)

LEAVE(prctl, KIND_PRCTL)
EXIT_ALIKE(prctl, prctl)

LEAVE(namespaces, KIND_UNSHARE)
EXIT_ALIKE(namespaces, unshare)
EXIT_ALIKE(namespaces, setns)

ARRIVE(vm_write)
LEAVE(vm_write, KIND_PROCESS_VM_WRITEV)
BOTH_ALIKE(vm_write, process_vm_writev)
/* Its entry for 32-bit code before 5.12. */
EXIT_COMPAT(vm_write, process_vm_writev)
ENTER_COMPAT(vm_write, process_vm_writev)

LEAVE(descriptor, KIND_MEMFD_CREATE)
EXIT_ALIKE(descriptor, userfaultfd)
EXIT_ALIKE(descriptor, memfd_create)
EXIT_ALIKE(descriptor, io_uring_setup)
