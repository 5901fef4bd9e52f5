/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is reported of a file, from the kernel's objects. */
#ifndef FILE_H
#define FILE_H

/* A mount that the kernel keeps to itself (memfd, pipes): -4095..-1 as a pointer. */
static __always_inline bool mount__is_internal(struct mount *mount)
{
    return (__u64)BPF_CORE_READ(mount, mnt_ns) >= (__u64)-4095;
}

/* A mount of pipes, sockets or anonymous inodes: what lives there has no path. Files in memory (memfd) have a
 * name. */
static __always_inline bool mount__is_nameless(struct mount *mount)
{
    __u64 magic;

    if (!mount__is_internal(mount))
        return false;
    magic = BPF_CORE_READ(mount, mnt.mnt_sb, s_magic);
    return magic != TMPFS_MAGIC && magic != HUGETLBFS_MAGIC && magic != SECRETMEM_MAGIC;
}

static __always_inline __u32 mount__flags(struct mount *mount)
{
    struct mnt_namespace *ns = BPF_CORE_READ(mount, mnt_ns);

    if (mount__is_internal(mount))
        return 0;
    return !ns || mnt_namespace__is_anonymous(ns) ? FILE_FLAG_DETACHED : 0;
}

/* The file of the upper layer that an inode of an overlay stands for; NULL if it is in a lower one. */
static __always_inline struct dentry *inode__upper(struct inode *inode)
{
    struct dentry *upper = NULL;
    struct ovl_inode *overlay;

    if (bpf_core_field_exists(struct ovl_inode, __upperdentry)) {
        overlay = (void *)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode);
        return BPF_CORE_READ(overlay, __upperdentry);
    }
    /* A module's types are not known if it comes after the programs, or the types are those of a file. Since
     * there is such a structure (4.13, 09d8b586731b), what is wanted has stood right behind the inode in it.
     */
    bpf_probe_read_kernel(&upper, sizeof(upper), (void *)inode + bpf_core_type_size(struct inode));
    return upper;
}

static __always_inline void file_info__fill_filesystem(struct file_info *info, struct super_block *sb)
{
    info->device = BPF_CORE_READ(sb, s_dev);
    bpf_probe_read_kernel_str(info->filesystem, sizeof(info->filesystem), BPF_CORE_READ(sb, s_type, name));
    info->flags |= FILE_FLAG_VALID;
    if (BPF_CORE_READ(sb, s_magic) == OVERLAYFS_SUPER_MAGIC)
        info->flags |= FILE_FLAG_OVERLAY;
}

/* Everything but the path. */
static __always_inline void file_info__fill_inode(struct file_info *info, struct inode *inode)
{
    struct inode *real = inode;
    struct dentry *upper = NULL;

    file_info__fill_filesystem(info, BPF_CORE_READ(inode, i_sb));
    if (info->flags & FILE_FLAG_OVERLAY)
        upper = inode__upper(inode);
    if (upper) {
        info->flags |= FILE_FLAG_UPPER_LAYER;
        /* What an overlay keeps of the times lags behind those of the file that has just been copied up. */
        real = BPF_CORE_READ(upper, d_inode);
    }
    info->inode = BPF_CORE_READ(inode, i_ino);
    info->size = BPF_CORE_READ(inode, i_size);
    info->change_time_ns = inode__change_time_ns(real);
    info->modification_time_ns = inode__modification_time_ns(real);
    info->mode = BPF_CORE_READ(inode, i_mode);
    info->uid = BPF_CORE_READ(inode, i_uid.val);
    info->gid = BPF_CORE_READ(inode, i_gid.val);
    info->links = BPF_CORE_READ(inode, i_nlink);
}

static __always_inline bool name__is_memfd(const __u8 *name)
{
    return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' &&
           name[5] == ':';
}

/* Appends the path of `length` bytes that the path scratch holds, and what its walk noticed. */
static __always_inline void file_info__take_path(struct file_info *info, struct builder *builder,
                                                 struct path_scratch *scratch, int length)
{
    info->flags |= scratch->flags;
    if (scratch->start < PATH_SIZE_MAX && name__is_memfd(&scratch->bytes[scratch->start]))
        info->flags |= FILE_FLAG_MEMFD | FILE_FLAG_DELETED;
    if ((info->flags & FILE_FLAG_OVERLAY) && scratch->mount_start > scratch->start)
        info->overlay_prefix = scratch->mount_start - scratch->start;
    info->path = tail__append_path(builder, length, PATH_SIZE_MAX);
}

/* As above, once the path is found. */
static __always_inline void file_info__append_path(struct file_info *info, struct builder *builder,
                                                   int length)
{
    struct path_scratch *scratch = path__scratch();

    if (!scratch)
        return;
    APART();
    if (length <= 0)
        return;
#ifdef CWS_OLD_KERNEL
    scratch->is_file = true;
    tail__take_path(builder, &info->path, length, PATH_SIZE_MAX);
#else
    file_info__take_path(info, builder, scratch, length);
#endif
}

/* Fills `info` and appends the path of `file` as `task` sees it. */
static __always_inline void file_info__fill(struct file_info *info, struct builder *builder,
                                            struct file *file, struct task_struct *task)
{
    struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
    struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);
    struct mount *mount = vfsmount__mount(mnt);

    info->mount_id = BPF_CORE_READ(mount, mnt_id);
    info->flags = mount__flags(mount);
    file_info__fill_inode(info, BPF_CORE_READ(file, f_inode));
    file_info__append_path(info, builder, path__resolve((__u64)dentry, (__u64)mnt, (__u64)task));
}

#endif /* FILE_H */
