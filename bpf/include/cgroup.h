/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which cgroup a task is reported to be in, and its path. */
#ifndef CGROUP_H
#define CGROUP_H

/* The bits of a cgroup that are needed more than once. */
static __always_inline struct cgroup *css_set__cgroup_of(struct css_set *set, __u32 subsystem)
{
    struct cgroup_subsys_state *state = NULL;

    bpf_core_read(&state, sizeof(state), (void *)&set->subsys[0] + subsystem * sizeof(void *));
    return state ? BPF_CORE_READ(state, cgroup) : NULL;
}

/* Takes the cgroup of `name`'s hierarchy, if that is a v1 hierarchy and tells at least as much as `best`. */
#define CONSIDER_SUBSYSTEM(name)                                                                             \
    if (bpf_core_enum_value_exists(enum cgroup_subsys_id, name)) {                                           \
        struct cgroup *candidate =                                                                           \
            css_set__cgroup_of(set, bpf_core_enum_value(enum cgroup_subsys_id, name));                       \
        if (candidate && BPF_CORE_READ(candidate, root) != unified_root) {                                   \
            int level = BPF_CORE_READ(candidate, level);                                                     \
            if (level > 0 && (level > best_level || !best_is_v1) && level >= best_level) {                   \
                best = candidate;                                                                            \
                best_level = level;                                                                          \
                best_is_v1 = true;                                                                           \
            }                                                                                                \
        }                                                                                                    \
    }

/*
 * On a host with cgroup v2 alone: the task's cgroup. On v1 and hybrid hosts a task is in one cgroup per
 * hierarchy; runtimes that use v1 put the container in each of them and leave the task in the daemon's v2
 * cgroup. So a v1 cgroup that is at least as deep as the v2 one wins.
 */
static __always_inline struct cgroup *task__cgroup_and_version(struct task_struct *task, bool *is_v1)
{
    struct css_set *set = BPF_CORE_READ(task, cgroups);
    struct cgroup *best = BPF_CORE_READ(set, dfl_cgrp);
    struct cgroup_root *unified_root = BPF_CORE_READ(best, root);
    int best_level = BPF_CORE_READ(best, level);
    bool best_is_v1 = false;

    CONSIDER_SUBSYSTEM(memory_cgrp_id)
    CONSIDER_SUBSYSTEM(pids_cgrp_id)
    CONSIDER_SUBSYSTEM(cpu_cgrp_id)
    CONSIDER_SUBSYSTEM(devices_cgrp_id)
    CONSIDER_SUBSYSTEM(freezer_cgrp_id)
    CONSIDER_SUBSYSTEM(cpuset_cgrp_id)
    *is_v1 = best_is_v1;
    return best;
}

static __always_inline struct cgroup *task__cgroup(struct task_struct *task)
{
    bool is_v1;

    return task__cgroup_and_version(task, &is_v1);
}

static __always_inline __u64 cgroup__id(struct cgroup *cgroup)
{
    return kernfs__inode(BPF_CORE_READ(cgroup, kn));
}

#endif /* CGROUP_H */
