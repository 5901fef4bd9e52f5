/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The system calls of kernel activity, by family: see file_calls.h. */
#ifndef KERNEL_CALLS_H
#define KERNEL_CALLS_H

#define PTRACE_CALLS(CALL) CALL(PTRACE, 101, 117, 26)

#define SIGNAL_CALLS(CALL)                                                                                   \
    CALL(KILL, 62, 129, 37)                                                                                  \
    CALL(TKILL, 200, 130, 238)                                                                               \
    CALL(TGKILL, 234, 131, 270)                                                                              \
    CALL(RT_SIGQUEUEINFO, 129, 138, 178)                                                                     \
    CALL(RT_TGSIGQUEUEINFO, 297, 240, 335)                                                                   \
    CALL(PIDFD_SEND_SIGNAL, 424, 424, 424)

#define BPF_CALLS(CALL) CALL(BPF, 321, 280, 357)

#define LOAD_MODULE_CALLS(CALL)                                                                              \
    CALL(INIT_MODULE, 175, 105, 128)                                                                         \
    CALL(FINIT_MODULE, 313, 273, 350)

#define UNLOAD_MODULE_CALLS(CALL) CALL(DELETE_MODULE, 176, 106, 129)

#define MMAP_CALLS(CALL)                                                                                     \
    CALL(MMAP, 9, 222, NO)                                                                                   \
    /* The offset counts pages. */                                                                           \
    CALL(MMAP2, NO, NO, 192)

#define MPROTECT_CALLS(CALL)                                                                                 \
    CALL(MPROTECT, 10, 226, 125)                                                                             \
    CALL(PKEY_MPROTECT, 329, 288, 380)

#define SETRLIMIT_CALLS(CALL)                                                                                \
    CALL(SETRLIMIT, 160, 164, 75)                                                                            \
    CALL(PRLIMIT64, 302, 261, 340)

#define PRCTL_CALLS(CALL) CALL(PRCTL, 157, 167, 172)

#define NAMESPACES_CALLS(CALL)                                                                               \
    CALL(UNSHARE, 272, 97, 310)                                                                              \
    CALL(SETNS, 308, 268, 346)

#define VM_WRITE_CALLS(CALL) CALL(PROCESS_VM_WRITEV, 311, 271, 348)

#define DESCRIPTOR_CALLS(CALL)                                                                               \
    CALL(USERFAULTFD, 323, 282, 374)                                                                         \
    CALL(MEMFD_CREATE, 319, 279, 356)                                                                        \
    CALL(IO_URING_SETUP, 425, 425, 425)

#define KERNEL_CALLS(CALL)                                                                                   \
    PTRACE_CALLS(CALL)                                                                                       \
    SIGNAL_CALLS(CALL)                                                                                       \
    BPF_CALLS(CALL)                                                                                          \
    LOAD_MODULE_CALLS(CALL)                                                                                  \
    UNLOAD_MODULE_CALLS(CALL)                                                                                \
    MMAP_CALLS(CALL)                                                                                         \
    MPROTECT_CALLS(CALL)                                                                                     \
    SETRLIMIT_CALLS(CALL)                                                                                    \
    PRCTL_CALLS(CALL)                                                                                        \
    NAMESPACES_CALLS(CALL)                                                                                   \
    VM_WRITE_CALLS(CALL)                                                                                     \
    DESCRIPTOR_CALLS(CALL)

/* Apart from enum form, so that the lists of calls grow independently. */
enum kernel_form {
    FORM_KERNEL_FIRST = 0x200,
#define ENUMERATOR(name, x86_64, arm64, i386) FORM_##name,
    KERNEL_CALLS(ENUMERATOR)
#undef ENUMERATOR
};

#endif /* KERNEL_CALLS_H */
