/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs of kernel activity share. Their records are built as those of files are: file_event.h.
 * All bodies begin with the result of the call, as file_call does, so file_event__send() serves them as well.
 */
#ifndef KERNEL_EVENT_H
#define KERNEL_EVENT_H

/* Names of files without a path, as eight bytes of them: a file of the kernel's own mount of anonymous
 * inodes. */
#define ANONYMOUS_BPF_MAP  0x0070616d2d667062ULL /* "bpf-map" and the NUL */
#define ANONYMOUS_BPF_PROG 0x676f72702d667062ULL /* "bpf-prog" */
#define ANONYMOUS_BPF_LINK 0x6b6e696c5f667062ULL /* "bpf_link" */
#define ANONYMOUS_PIDFD    0x005d64666469705bULL /* "[pidfd]" and the NUL */

/* Whether a file is an anonymous one whose name begins with these eight bytes. */
static __always_inline bool file__is_anonymous(struct file *file, __u64 name)
{
    __u64 found = 0;

    if (!mount__is_nameless(vfsmount__mount(BPF_CORE_READ(file, f_path.mnt))))
        return false;
    bpf_probe_read_kernel(&found, sizeof(found), BPF_CORE_READ(file, f_path.dentry, d_name.name));
    return found == name;
}

#endif /* KERNEL_EVENT_H */
