/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is reported of a file, from the kernel's objects. */
#ifndef FILE_H
#define FILE_H

static __always_inline __u32 mount__flags(struct mount *mount)
{
    struct mnt_namespace *ns = BPF_CORE_READ(mount, mnt_ns);

    /* -4095..-1 as a pointer: a mount that the kernel keeps to itself (memfd, pipes). */
    if ((__u64)ns >= (__u64)-4095)
        return 0;
    return !ns || mnt_namespace__is_anonymous(ns) ? FILE_FLAG_DETACHED : 0;
}

static __always_inline bool inode__in_upper_layer(struct inode *inode)
{
    struct ovl_inode *overlay;

    if (!bpf_core_field_exists(struct ovl_inode, __upperdentry))
        return false;
    overlay = (void *)inode - bpf_core_field_offset(struct ovl_inode, vfs_inode);
    return BPF_CORE_READ(overlay, __upperdentry) != NULL;
}

/* Everything but the path. */
static __always_inline void file_info__fill_inode(struct file_info *info, struct inode *inode)
{
    struct super_block *sb = BPF_CORE_READ(inode, i_sb);

    info->inode = BPF_CORE_READ(inode, i_ino);
    info->size = BPF_CORE_READ(inode, i_size);
    info->change_time_ns = inode__change_time_ns(inode);
    info->modification_time_ns = inode__modification_time_ns(inode);
    info->mode = BPF_CORE_READ(inode, i_mode);
    info->uid = BPF_CORE_READ(inode, i_uid.val);
    info->gid = BPF_CORE_READ(inode, i_gid.val);
    info->links = BPF_CORE_READ(inode, i_nlink);
    info->device = BPF_CORE_READ(sb, s_dev);
    bpf_probe_read_kernel_str(info->filesystem, sizeof(info->filesystem), BPF_CORE_READ(sb, s_type, name));
    info->flags |= FILE_FLAG_VALID;
    if (BPF_CORE_READ(sb, s_magic) == OVERLAYFS_SUPER_MAGIC) {
        info->flags |= FILE_FLAG_OVERLAY;
        if (inode__in_upper_layer(inode))
            info->flags |= FILE_FLAG_UPPER_LAYER;
    }
}

static __always_inline bool name__is_memfd(const __u8 *name)
{
    return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && name[3] == 'f' && name[4] == 'd' &&
           name[5] == ':';
}

/* Fills `info` and appends the path of `file` as `task` sees it. */
static __always_inline void file_info__fill(struct file_info *info, struct builder *builder,
                                            struct file *file, struct task_struct *task)
{
    struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
    struct vfsmount *mnt = BPF_CORE_READ(file, f_path.mnt);
    struct mount *mount = vfsmount__mount(mnt);
    struct path_scratch *scratch = path__scratch();
    int length;

    info->mount_id = BPF_CORE_READ(mount, mnt_id);
    info->flags = mount__flags(mount);
    file_info__fill_inode(info, BPF_CORE_READ(file, f_inode));

    length = path__resolve((__u64)dentry, (__u64)mnt, (__u64)task);
    if (!scratch || length <= 0)
        return;
    info->flags |= scratch->flags;
    if (scratch->start < PATH_SIZE_MAX && name__is_memfd(&scratch->bytes[scratch->start]))
        info->flags |= FILE_FLAG_MEMFD | FILE_FLAG_DELETED;
    if ((info->flags & FILE_FLAG_OVERLAY) && scratch->mount_start > scratch->start)
        info->overlay_prefix = scratch->mount_start - scratch->start;
    info->path = tail__append_path(builder, length, PATH_SIZE_MAX);
}

#endif /* FILE_H */
