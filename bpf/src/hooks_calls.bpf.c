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

/* The form of the call is known when the programs are compiled, so that each has what its form needs. */
#define LEAVE(family, kind)                                                                                  \
    static __always_inline int family##__leave(__u32 form, __u64 ret, __u32 record_flags)                    \
    {                                                                                                        \
        WITH_SCRATCH(kind, family##__exit(form, ret, record_flags));                                         \
        return 0;                                                                                            \
    }

/* The same for calls that a hook inside the kernel may have told of already: what is left are those that were
 * refused before. */
#define LEAVE_REST(family, kind)                                                                             \
    static __always_inline int family##__leave(__u32 form, __u64 ret, __u32 record_flags)                    \
    {                                                                                                        \
        if (reported__take(form))                                                                            \
            return 0;                                                                                        \
        WITH_SCRATCH(kind, family##__exit(form, ret, record_flags));                                         \
        return 0;                                                                                            \
    }

#define ARRIVE(family)                                                                                       \
    static __always_inline int family##__arrive(__u32 form, __u32 record_flags)                              \
    {                                                                                                        \
        return REMEMBERING(family##__enter(form, record_flags));                                             \
    }

#define EXIT(width, prefix, flags, family, call, form)                                                       \
    WITH_RESULT(prefix #call, width##_exit_##call, 1, family##__leave(FORM_##form, result, flags))

#define ENTER(width, prefix, flags, family, call, form)                                                      \
    AT_ENTRY(prefix #call, width##_enter_##call, 0, family##__arrive(FORM_##form, flags))

#if defined(__TARGET_ARCH_x86)
#define EXIT_IA32(family, call, form)    EXIT(ia32, IA32, RECORD_FLAG_COMPAT, family, call, form)
#define EXIT_COMPAT(family, call, form)  EXIT(compat, COMPAT, RECORD_FLAG_COMPAT, family, call, form)
#define ENTER_IA32(family, call, form)   ENTER(ia32, IA32, RECORD_FLAG_COMPAT, family, call, form)
#define ENTER_COMPAT(family, call, form) ENTER(compat, COMPAT, RECORD_FLAG_COMPAT, family, call, form)
#else
#define EXIT_IA32(family, call, form)
#define EXIT_COMPAT(family, call, form)
#define ENTER_IA32(family, call, form)
#define ENTER_COMPAT(family, call, form)
#endif

/* A call of one name for both widths; both sides of it; both sides of one that 32-bit code has another entry
 * for. */
#define EXIT_ALIKE(family, call, form)                                                                       \
    EXIT(native, NATIVE, 0, family, call, form)                                                              \
    EXIT_IA32(family, call, form)
#define BOTH_ALIKE(family, call, form)                                                                       \
    EXIT_ALIKE(family, call, form)                                                                           \
    ENTER(native, NATIVE, 0, family, call, form)                                                             \
    ENTER_IA32(family, call, form)
#define EXIT_APART(family, call, form)                                                                       \
    EXIT(native, NATIVE, 0, family, call, form)                                                              \
    EXIT_COMPAT(family, call, form)
#define BOTH_APART(family, call, form)                                                                       \
    EXIT_APART(family, call, form)                                                                           \
    ENTER(native, NATIVE, 0, family, call, form)                                                             \
    ENTER_COMPAT(family, call, form)

/* ---- files ------------------------------------------------------------------------------------------ */

LEAVE_REST(chdir, KIND_CHDIR)
EXIT_ALIKE(chdir, chdir, CHDIR)
EXIT_ALIKE(chdir, fchdir, FCHDIR)

ARRIVE(xattr)
LEAVE_REST(xattr, KIND_SETXATTR)
BOTH_ALIKE(xattr, setxattr, SETXATTR)
BOTH_ALIKE(xattr, lsetxattr, LSETXATTR)
BOTH_ALIKE(xattr, fsetxattr, FSETXATTR)
BOTH_ALIKE(xattr, setxattrat, SETXATTRAT)
BOTH_ALIKE(xattr, removexattr, REMOVEXATTR)
BOTH_ALIKE(xattr, lremovexattr, LREMOVEXATTR)
BOTH_ALIKE(xattr, fremovexattr, FREMOVEXATTR)
BOTH_ALIKE(xattr, removexattrat, REMOVEXATTRAT)

LEAVE_REST(mount, KIND_MOUNT)
EXIT_ALIKE(mount, mount, MOUNT)
EXIT_ALIKE(mount, fsmount, FSMOUNT)
EXIT_ALIKE(mount, open_tree, OPEN_TREE)
EXIT_ALIKE(mount, open_tree_attr, OPEN_TREE_ATTR)
EXIT_ALIKE(mount, move_mount, MOVE_MOUNT)
EXIT_ALIKE(mount, pivot_root, PIVOT_ROOT)

ARRIVE(umount)
LEAVE_REST(umount, KIND_UMOUNT)
BOTH_ALIKE(umount, umount, UMOUNT)
EXIT_IA32(umount, oldumount, OLDUMOUNT)
ENTER_IA32(umount, oldumount, OLDUMOUNT)

ARRIVE(splice)
LEAVE(splice, KIND_SPLICE)
BOTH_ALIKE(splice, splice, SPLICE)

/* ---- credentials ------------------------------------------------------------------------------------ */

/* Calls with 16-bit ids are of 32-bit code alone. */
#define CREDENTIALS(width, prefix, call, kind, success, flags)                                               \
    AT_ENTRY(prefix #call, width##_enter_##call, 0, credentials__enter())                                    \
    WITH_RESULT(prefix #call, width##_exit_##call, 1, credentials__exit(result, kind, success, flags))

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
EXIT_ALIKE(bind, bind, BIND)

LEAVE(connect, KIND_CONNECT)
EXIT_ALIKE(connect, connect, CONNECT)

LEAVE(accept, KIND_ACCEPT)
EXIT(native, NATIVE, 0, accept, accept, ACCEPT)
EXIT_ALIKE(accept, accept4, ACCEPT4)

LEAVE(setsockopt, KIND_SETSOCKOPT)
EXIT_APART(setsockopt, setsockopt, SETSOCKOPT)

#if defined(__TARGET_ARCH_x86)
/* One call of 32-bit code for all that is done to sockets. */
WITH_RESULT(COMPAT "socketcall", compat_exit_socketcall, 1,
            WITH_SCRATCH(KIND_UNKNOWN, compat__exit_socketcall(result)))
#endif

/* ---- kernel activity -------------------------------------------------------------------------------- */

ARRIVE(ptrace)
LEAVE(ptrace, KIND_PTRACE)
BOTH_APART(ptrace, ptrace, PTRACE)

ARRIVE(signal)
LEAVE(signal, KIND_SIGNAL)
BOTH_ALIKE(signal, kill, KILL)
BOTH_ALIKE(signal, tkill, TKILL)
BOTH_ALIKE(signal, tgkill, TGKILL)
BOTH_APART(signal, rt_sigqueueinfo, RT_SIGQUEUEINFO)
BOTH_APART(signal, rt_tgsigqueueinfo, RT_TGSIGQUEUEINFO)
BOTH_ALIKE(signal, pidfd_send_signal, PIDFD_SEND_SIGNAL)

LEAVE(bpf, KIND_BPF)
EXIT_ALIKE(bpf, bpf, BPF)

LEAVE(load_module, KIND_LOAD_MODULE)
EXIT_ALIKE(load_module, init_module, INIT_MODULE)
EXIT_ALIKE(load_module, finit_module, FINIT_MODULE)

LEAVE(unload_module, KIND_UNLOAD_MODULE)
EXIT_ALIKE(unload_module, delete_module, DELETE_MODULE)

LEAVE(mmap, KIND_MMAP)
EXIT(native, NATIVE, 0, mmap, mmap, MMAP)
EXIT_IA32(mmap, mmap_pgoff, MMAP2)

ARRIVE(mprotect)
LEAVE(mprotect, KIND_MPROTECT)
BOTH_ALIKE(mprotect, mprotect, MPROTECT)
BOTH_ALIKE(mprotect, pkey_mprotect, PKEY_MPROTECT)

LEAVE(setrlimit, KIND_SETRLIMIT)
EXIT_APART(setrlimit, setrlimit, SETRLIMIT)
EXIT_ALIKE(setrlimit, prlimit64, PRLIMIT64)

LEAVE(prctl, KIND_PRCTL)
EXIT_ALIKE(prctl, prctl, PRCTL)

LEAVE(namespaces, KIND_UNSHARE)
EXIT_ALIKE(namespaces, unshare, UNSHARE)
EXIT_ALIKE(namespaces, setns, SETNS)

ARRIVE(vm_write)
LEAVE(vm_write, KIND_PROCESS_VM_WRITEV)
BOTH_ALIKE(vm_write, process_vm_writev, PROCESS_VM_WRITEV)
/* Its entry for 32-bit code before 5.12. */
EXIT_COMPAT(vm_write, process_vm_writev, PROCESS_VM_WRITEV)
ENTER_COMPAT(vm_write, process_vm_writev, PROCESS_VM_WRITEV)

LEAVE(descriptor, KIND_MEMFD_CREATE)
EXIT_ALIKE(descriptor, userfaultfd, USERFAULTFD)
EXIT_ALIKE(descriptor, memfd_create, MEMFD_CREATE)
EXIT_ALIKE(descriptor, io_uring_setup, IO_URING_SETUP)
