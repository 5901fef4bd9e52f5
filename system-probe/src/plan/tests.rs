//! The plan for each thing that a kernel may lack.

use super::table::Blind;
use super::*;

const ALLOWED: Allowed = Allowed::everything_but_compat();

/// A kernel that can do everything but these, without ways around the tracepoints of calls, and without probes.
fn kernel_without(missing: &[Capability]) -> Facts {
    let mut facts = Facts::default();
    for capability in Capability::ALL {
        let others = [
            Capability::CompatSyscalls,
            Capability::IoUring,
            Capability::RequestTracepoints,
            Capability::Kprobe,
        ];
        let lacks = others.contains(&capability) || missing.contains(&capability);
        facts.set(capability, if lacks { Err("refused".to_owned()) } else { Ok(String::new()) });
    }
    // Each function in the form that stands first.
    for program in observations().flat_map(|row| row.ways).flat_map(|way| way.programs) {
        if let Hook::Function(function) = program.hook
            && facts.functions.form(function.name).is_none()
        {
            facts.functions.set(function.name, &function.form.replace('*', "anything"));
        }
    }
    facts
}

/// The same as a hardened kernel is: no programs at functions.
fn hardened_kernel_without(missing: &[Capability]) -> Facts {
    kernel_without(&[missing, &[Capability::Fentry, Capability::Fexit]].concat())
}

/// Names of the observations that have no way.
fn unavailable(missing: &[Capability]) -> Vec<&'static str> {
    let plan = Plan::new(&kernel_without(missing), ALLOWED);
    let lost = plan.observations.iter().filter(|planned| planned.way.is_none());
    lost.map(|planned| planned.observation.name).collect()
}

fn planned(plan: &Plan, name: &str) -> Planned {
    plan.observations.iter().find(|planned| planned.observation.name == name).unwrap().clone()
}

const LIFECYCLE: [&str; 4] = ["process.fork", "process.exec", "process.exit", "process.cgroup"];

const BY_PACKETS: [&str; 4] = ["network.dns", "network.imds", "network.packet", "network.flows"];

#[test]
fn without_control_groups_packets_are_lost() {
    assert_eq!(unavailable(&[Capability::CgroupSkb]), BY_PACKETS);
}

#[test]
fn packets_are_seen_as_far_as_the_settings_allow() {
    let none = Plan::new(&kernel_without(&[]), Allowed { packets: false, ..ALLOWED });
    let dns = planned(&none, "network.dns");
    assert_eq!((dns.way.is_none(), dns.reason.as_str()), (true, "cgroup_skb: off by network.enabled"));
    assert!(planned(&none, "network.connect").way.is_some());
    let out = Plan::new(&kernel_without(&[]), Allowed { packets_in: false, ..ALLOWED });
    let names = |plan| planned(plan, "network.dns").programs.iter().map(|it| it.name).collect::<Vec<_>>();
    assert_eq!(names(&out), ["packet_out"]);
    assert_eq!(names(&Plan::new(&kernel_without(&[]), ALLOWED)), ["packet_out", "packet_in"]);
}

/// What is watched on demand and needs something of the kernel.
fn on_demand_by(needed: Capability) -> Vec<&'static str> {
    let on_demand = observations().filter(|row| row.attached == Attached::OnDemand);
    on_demand
        .filter(|row| row.ways.iter().all(|way| way.needs.contains(&needed)))
        .map(|row| row.name)
        .collect()
}

/// What is watched by the tracepoints of single calls where there is nothing better.
fn by_calls() -> Vec<&'static str> {
    let calls = Capability::SyscallTracepoint;
    let on_demand = observations().filter(|row| row.attached == Attached::OnDemand);
    on_demand
        .filter(|row| row.ways.iter().any(|way| way.needs.contains(&calls)))
        .map(|row| row.name)
        .collect()
}

#[test]
fn a_kernel_that_can_do_everything_watches_everything() {
    let plan = Plan::new(&kernel_without(&[]), ALLOWED);
    for planned in &plan.observations {
        assert!(
            planned.way.is_some() && planned.reason.is_empty() && planned.blind.is_empty(),
            "{planned:?}"
        );
    }
    let kinds: BTreeSet<_> = plan.observations.iter().flat_map(|planned| planned.observation.kinds).collect();
    assert_eq!(kinds.len(), Kind::ALL.len(), "every kind is given by an observation");
}

#[test]
fn without_typed_tracepoints_process_lifecycle_is_lost() {
    let others = ["kernel.load_module", "kernel.unload_module", "kernel.cgroup_write"];
    assert_eq!(unavailable(&[Capability::TpBtf]), [&LIFECYCLE[..], &others].concat());
}

#[test]
fn without_tracefs_and_functions_what_is_watched_by_calls_is_lost() {
    assert_eq!(unavailable(&[Capability::SyscallTracepoint]), [""; 0], "their functions are left");
    let neither = [Capability::SyscallTracepoint, Capability::Fentry];
    assert!(by_calls().len() > 30, "{:?}", by_calls());
    assert_eq!(unavailable(&neither), [by_calls(), on_demand_by(Capability::Fentry)].concat());
    let plan = Plan::new(&kernel_without(&neither), ALLOWED);
    assert_eq!(planned(&plan, "process.capset").reason, "fentry: refused; syscall_tracepoint: refused");
}

#[test]
fn a_kernel_without_modules_has_nothing_to_watch_there() {
    assert_eq!(unavailable(&[Capability::Modules]), [""; 0]);
    let plan = Plan::new(&kernel_without(&[Capability::Modules]), ALLOWED);
    let modules = planned(&plan, "kernel.load_module");
    assert!(modules.programs.is_empty() && modules.reason.starts_with("nothing to watch"), "{modules:?}");
}

#[test]
fn without_programs_on_control_groups_parameters_are_lost() {
    assert_eq!(unavailable(&[Capability::CgroupSysctl]), ["kernel.sysctl"]);
}

#[test]
fn without_types_or_ring_buffer_nothing_live_is_left() {
    for missing in [Capability::Btf, Capability::RingBuffer] {
        assert_eq!(unavailable(&[missing]), [&LIFECYCLE[..], &on_demand_by(missing)].concat(), "{missing:?}");
    }
}

#[test]
fn without_the_iterator_the_snapshot_comes_from_proc() {
    let plan = Plan::new(&kernel_without(&[Capability::IterTask]), ALLOWED);
    let snapshot = planned(&plan, "process.snapshot");
    assert_eq!(snapshot.way.unwrap().label, "/proc");
    assert_eq!(snapshot.reason, "iter_task: refused");
    assert!(!plan.programs().any(|program| *program == SNAPSHOT));
}

#[test]
fn what_has_another_way_is_not_missed() {
    let unused = [Capability::Fentry, Capability::Fexit, Capability::Lsm, Capability::RawTp];
    assert_eq!(unavailable(&unused), on_demand_by(Capability::Fentry));
    assert_eq!(on_demand_by(Capability::Fentry), ["kernel.selinux"], "it has no tracepoints");
}

#[test]
fn a_kernel_that_was_not_probed_watches_nothing() {
    let plan = Plan::new(&Facts::default(), ALLOWED);
    assert!(planned(&plan, "process.exec").reason.contains("not tried"));
    assert_eq!(plan.programs().count(), 0);
}

#[test]
fn where_32_bit_calls_exist_it_is_said_that_they_are_not_seen() {
    let mut facts = kernel_without(&[]);
    facts.set(Capability::CompatSyscalls, Ok(String::new()));
    assert!(planned(&Plan::new(&facts, ALLOWED), "process.setuid").blind.is_empty(), "functions see them");
    let mut facts = hardened_kernel_without(&[]);
    facts.set(Capability::CompatSyscalls, Ok(String::new()));
    let plan = Plan::new(&facts, ALLOWED);
    assert!(planned(&plan, "process.setuid").blind.iter().any(|text| text.contains("32-bit")));
    assert!(planned(&plan, "process.exec").blind.is_empty());
    assert!(!plan.programs().any(|program| program.name == "on_compat_exit"), "it costs every system call");
}

#[test]
fn where_io_uring_is_it_is_said_that_its_operations_are_not_seen() {
    let mut facts = kernel_without(&[]);
    facts.set(Capability::IoUring, Ok(String::new()));
    let plan = Plan::new(&facts, Allowed { compat: true, ..ALLOWED });
    assert!(planned(&plan, "file.open").blind.is_empty(), "programs at functions see them");
    let mut facts = hardened_kernel_without(&[]);
    facts.set(Capability::IoUring, Ok(String::new()));
    let plan = Plan::new(&facts, Allowed { compat: true, ..ALLOWED });
    for (observation, has_operation) in [("file.open", true), ("file.unlink", true), ("file.chmod", false)] {
        let blind = &planned(&plan, observation).blind;
        assert_eq!(blind.iter().any(|text| text.contains("io_uring")), has_operation, "{observation}");
    }
}

#[test]
fn requests_of_rings_are_seen_where_their_tracepoints_are() {
    let mut facts = hardened_kernel_without(&[]);
    facts.set(Capability::IoUring, Ok(String::new()));
    let before = planned(&Plan::new(&facts, ALLOWED), "file.open").programs.len();
    facts.set(Capability::RequestTracepoints, Ok(String::new()));
    let plan = Plan::new(&facts, ALLOWED);
    for (observation, is_seen) in [("file.open", true), ("file.unlink", true), ("file.setxattr", false)] {
        let blind = &planned(&plan, observation).blind;
        assert_ne!(blind.iter().any(|text| text.contains("io_uring")), is_seen, "{observation}: {blind:?}");
    }
    assert_eq!(planned(&plan, "file.open").programs.len(), before + 3);
    facts.set(Capability::IoUring, Err("off".to_owned()));
    let without = Plan::new(&facts, ALLOWED);
    assert!(!without.programs().any(|program| program.name == "on_request"), "there are no rings");
}

#[test]
fn they_are_seen_where_the_settings_allow_the_cost() {
    let allowed = Allowed { compat: true, ..ALLOWED };
    let mut facts = hardened_kernel_without(&[]);
    let plan = Plan::new(&facts, allowed);
    assert!(!plan.programs().any(|program| program.name == "on_compat_exit"), "there are no such calls");
    facts.set(Capability::CompatSyscalls, Ok(String::new()));
    let plan = Plan::new(&facts, allowed);
    let setuid = planned(&plan, "process.setuid");
    assert!(
        setuid.blind.is_empty() && setuid.programs.iter().any(|program| program.name == "on_compat_exit")
    );
    assert!(!planned(&plan, "process.exec").programs.iter().any(|program| program.name == "on_compat_exit"));
}

#[test]
fn programs_are_attached_only_for_the_kinds_that_rules_need() {
    let plan = Plan::new(&kernel_without(&[]), ALLOWED);
    let names = |kinds: &[Kind]| {
        let kinds = kinds.iter().copied().collect();
        plan.programs_for(&kinds).map(|program| program.name).collect::<Vec<_>>()
    };
    let always = ["on_fork", "on_exec", "on_exit", "on_cgroup_attach"];
    assert_eq!(names(&[]), always);
    assert_eq!(names(&[Kind::Exec]), always);
    let capset = ["native_enter_capset", "native_exit_capset", "ia32_enter_capset", "ia32_exit_capset"];
    assert_eq!(names(&[Kind::Capset]), [&always[..], &capset].concat());
}

#[test]
fn the_start_needs_what_is_always_watched_and_the_snapshot() {
    let plan = Plan::new(&kernel_without(&[]), ALLOWED);
    let names = |kinds: BTreeSet<Kind>| {
        plan.programs_to_start_with(&kinds).map(|program| program.name).collect::<BTreeSet<_>>()
    };
    let always = ["on_fork", "on_exec", "on_exit", "on_cgroup_attach", "snapshot_task"];
    assert_eq!(names(BTreeSet::new()), always.into());
    let all = plan.programs().map(|program| program.name).collect();
    assert_eq!(names(Kind::ALL.iter().copied().collect()), all);
}

#[test]
fn a_program_stands_on_the_side_of_the_call_that_it_is_made_for() {
    for program in observations().flat_map(|row| row.ways).flat_map(|way| way.programs) {
        if let Hook::Syscall(tracepoint) = program.hook {
            let side =
                |name: &str| name.split('_').find(|part| ["enter", "exit"].contains(part)).map(str::to_owned);
            assert_eq!(side(program.name), side(tracepoint), "{program:?}");
        }
    }
}

#[test]
fn rows_have_names_of_their_own() {
    let mut names: Vec<_> = observations().map(|row| row.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
}

/// All programs at functions, by observation.
fn at_functions() -> Vec<(&'static str, Program, Function)> {
    let ways = observations().flat_map(|row| row.ways.iter().map(|way| (row.name, way)));
    let programs = ways.flat_map(|(name, way)| way.programs.iter().map(move |program| (name, *program)));
    let at = programs.filter_map(|(name, program)| match program.hook {
        Hook::Function(function) => Some((name, program, function)),
        _ => None,
    });
    at.collect()
}

#[test]
fn with_programs_at_functions_nothing_costs_unrelated_calls() {
    let plan = Plan::new(&kernel_without(&[]), ALLOWED);
    for planned in &plan.observations {
        assert!(
            !planned.programs.iter().any(|program| matches!(program.hook, Hook::Syscall(_))),
            "{planned:?}"
        );
    }
}

#[test]
fn each_form_of_a_function_has_its_program() {
    for (name, program, function) in at_functions() {
        let mut facts = kernel_without(&[]);
        // What stands before the way that the program belongs to does not work.
        let observation = observations().find(|row| row.name == name).unwrap();
        let before = observation.ways.iter().take_while(|way| !way.programs.contains(&program));
        for other in before.flat_map(|way| way.programs) {
            if let Hook::Function(other) = other.hook
                && other.without == Without::Fails
            {
                facts.functions.set(other.name, "an unknown form->");
            }
        }
        for (_, _, other) in at_functions().into_iter().filter(|(other, ..)| *other == name) {
            if other.purpose == function.purpose && other.side == function.side {
                facts.functions.set(other.name, "an unknown form->");
            }
        }
        facts.functions.set(function.name, &function.form.replace('*', "anything"));
        let plan = Plan::new(&facts, ALLOWED);
        assert!(planned(&plan, name).programs.contains(&program), "{name}: {program:?}");
    }
}

#[test]
fn a_function_of_an_unknown_form_leaves_its_observation_to_the_next_way_or_with_a_blind_spot() {
    for (name, _, function) in at_functions() {
        let mut facts = kernel_without(&[]);
        for (_, _, other) in at_functions().into_iter().filter(|(other, ..)| *other == name) {
            if other.purpose == function.purpose {
                facts.functions.set(other.name, "another,form->");
            }
        }
        let plan = Plan::new(&facts, ALLOWED);
        let found = planned(&plan, name);
        let family = found.way.and_then(|way| way.family(false));
        match function.without {
            Without::Fails => {
                let first = found.observation.ways.first();
                assert!(!found.way.zip(first).is_some_and(|(way, first)| std::ptr::eq(way, first)), "{name}");
                assert!(!found.programs.iter().any(|program| program.hook == Hook::Function(function)));
                assert!(found.reason.contains("of an unknown form, another,form->"), "{}", found.reason);
            }
            Without::Misses(text) => {
                assert_eq!(family, Some(Family::Fentry), "{name}");
                assert_eq!(found.blind, [text], "{name}");
            }
            // Another call of the same observation, or one of the other width, may be left.
            Without::Nothing => {
                assert!(!found.programs.iter().any(|program| program.hook == Hook::Function(function)));
                let left = found.programs.iter().any(|program| matches!(program.hook, Hook::Function(_)));
                assert_eq!(family == Some(Family::Fentry), left, "{name}");
            }
        }
    }
}

#[test]
fn what_the_kernel_refuses_is_watched_by_the_next_way_alone() {
    let facts = kernel_without(&[]);
    let mut plan = Plan::new(&facts, ALLOWED);
    assert!(!plan.retreat(&facts, |_| None));
    let refused = |program: &Program| (program.name == "hook_path_unlink").then(|| "too complex".to_owned());
    assert!(plan.retreat(&facts, refused));
    for row in &plan.observations {
        let expected = match row.observation.ways {
            [_, tracepoint] if row.observation.name == "file.unlink" => tracepoint,
            ways => &ways[0],
        };
        assert!(std::ptr::eq(row.way.unwrap(), expected), "{}", row.observation.name);
    }
    assert_eq!(planned(&plan, "file.unlink").reason, "hook_path_unlink: too complex");
    assert!(!plan.retreat(&facts, refused), "it has another way now");
    // What can be missed is, and what has no other way stays and says why.
    assert!(!plan.retreat(&facts, |program| (program.name == "exit_do_rmdir").then(String::new)));
    assert!(plan.retreat(&facts, |program| (program.name == "native_enter_capset").then(String::new)));
    assert!(!plan.retreat(&facts, |program| (program.name == "enter_capset").then(String::new)));
}

#[test]
fn kinds_at_functions_are_those_of_the_plan() {
    let has = |plan: Plan, kind: Kind| {
        let number = kind.number() as usize;
        plan.kinds_at_functions()[number / 64] >> (number % 64) & 1 == 1
    };
    let all = Plan::new(&kernel_without(&[]), ALLOWED);
    for (kind, expected) in
        [(Kind::Open, true), (Kind::Bind, true), (Kind::Ptrace, true), (Kind::Exec, false)]
    {
        assert_eq!(has(all.clone(), kind), expected, "{kind:?}");
    }
    assert_eq!(Plan::new(&hardened_kernel_without(&[]), ALLOWED).kinds_at_functions(), [0; 2]);
}

#[test]
fn a_form_matches_as_a_whole() {
    let (_, _, function) = at_functions()[0];
    let accepts = |pattern, form| Function { form: pattern, ..function }.accepts(form);
    assert!(accepts("*,inode,dentry,->", "mnt_idmap,inode,dentry,->"));
    assert!(!accepts("*,inode,dentry,->", "inode,dentry,->"));
    assert!(!accepts("*,inode,dentry,->", "mnt_idmap,inode,dentry,->dentry"));
    assert!(!accepts("path,->", "path,path->"));
}

#[test]
fn a_plan_can_be_forced() {
    let family = |name: &str, only| {
        let plan = Plan::new(&kernel_without(&[]), Allowed { only, ..ALLOWED });
        planned(&plan, name).way.and_then(|way| way.family(false))
    };
    assert_eq!(family("file.open", None), Some(Family::Fentry));
    assert_eq!(family("file.open", Some(Family::Tracepoint)), Some(Family::Tracepoint));
    assert_eq!(family("file.open", Some(Family::Fentry)), Some(Family::Fentry));
    assert_eq!(family("process.capset", Some(Family::Tracepoint)), Some(Family::Tracepoint));
    assert_eq!(family("process.exec", Some(Family::Fentry)), None, "there is no other");
    let hardened = hardened_kernel_without(&[]);
    let plan = Plan::new(&hardened, Allowed { only: Some(Family::Fentry), ..ALLOWED });
    let open = planned(&plan, "file.open");
    assert!(open.way.is_none());
    assert_eq!(open.reason, "fentry: refused; fexit: refused; tracepoint: off by --plan");
}

/// A kernel without trampolines, but with probes.
fn kernel_with_probes() -> Facts {
    let mut facts = hardened_kernel_without(&[]);
    facts.set(Capability::Kprobe, Ok(String::new()));
    facts
}

#[test]
fn where_there_are_no_trampolines_all_programs_at_functions_are_put_there_by_probes() {
    let trampolines = Plan::new(&kernel_without(&[]), ALLOWED);
    let plan = Plan::new(&kernel_with_probes(), ALLOWED);
    assert!(plan.by_probes && !plan.has_trampolines());
    assert_eq!(plan.kinds_at_functions(), trampolines.kinds_at_functions());
    for (planned, other) in plan.observations.iter().zip(&trampolines.observations) {
        assert!(std::ptr::eq(planned.way.unwrap(), other.way.unwrap()), "{planned:?}");
        let programs = planned.programs.iter().filter(|program| program.name != KEEP_ARGUMENTS);
        let expected = other.programs.iter();
        let expected = expected.map(|program| Program { hook: program.hook.by_probe(), ..*program });
        assert!(programs.copied().eq(expected), "{planned:?}");
        let at_functions = planned.programs.iter().any(|program| program.hook.function().is_some());
        let reason = if at_functions { "fentry: refused; fexit: refused" } else { "" };
        assert_eq!(planned.reason, reason, "{}", planned.observation.name);
    }
}

#[test]
fn the_arguments_of_a_function_are_kept_where_a_program_at_its_return_looks_at_them() {
    let plan = Plan::new(&kernel_with_probes(), ALLOWED);
    let hooks = |name: &str| {
        let programs = planned(&plan, name).programs;
        programs.iter().map(|program| format!("{} {}", program.name, program.hook)).collect::<Vec<_>>()
    };
    assert_eq!(
        hooks("file.chmod"),
        [
            "enter_chmod_common kprobe/chmod_common",
            "keep_arguments kprobe/chmod_common",
            "exit_chmod_common kretprobe/chmod_common",
        ]
    );
    let open = hooks("file.open");
    assert_eq!(open[0], "exit_do_sys_openat2 kretprobe/do_sys_openat2", "its result is enough");
    assert!(open.contains(&"keep_arguments kprobe/vfs_truncate".to_owned()), "{open:?}");
    let call = if cfg!(target_arch = "x86_64") { "__x64_sys_capset" } else { "__arm64_sys_capset" };
    assert_eq!(
        hooks("process.capset")[..2],
        [format!("native_enter_capset kprobe/{call}"), format!("native_exit_capset kretprobe/{call}"),]
    );
}

#[test]
fn probes_are_used_only_where_settings_and_object_allow_it() {
    let is_by_probes = |facts: &Facts, allowed| {
        let plan = Plan::new(facts, allowed);
        assert_eq!(plan.by_probes, plan.programs().any(|program| matches!(program.hook, Hook::Probe(_))));
        plan.by_probes
    };
    let both = {
        let mut facts = kernel_without(&[]);
        facts.set(Capability::Kprobe, Ok(String::new()));
        facts
    };
    assert!(!is_by_probes(&both, ALLOWED), "trampolines cost less");
    assert!(is_by_probes(&both, Allowed { fentry: false, ..ALLOWED }), "use_fentry");
    assert!(is_by_probes(&both, Allowed { only: Some(Family::Kprobe), ..ALLOWED }), "--plan");
    assert!(!is_by_probes(&both, Allowed { only: Some(Family::Tracepoint), ..ALLOWED }), "--plan");
    assert!(
        !is_by_probes(&kernel_with_probes(), Allowed { kprobes: false, ..ALLOWED }),
        "use_kprobe_fallback"
    );
    let without = Plan::new(&hardened_kernel_without(&[]), Allowed { only: Some(Family::Kprobe), ..ALLOWED });
    let open = planned(&without, "file.open");
    assert!(open.way.is_none());
    assert_eq!(open.reason, "kprobe: refused; tracepoint: off by --plan");
    let mut old = kernel_with_probes();
    old.choose_object(Some(OldPrograms::RawTracepoints), Ok(None));
    assert!(!is_by_probes(&old, ALLOWED), "the object for old kernels has no such programs");
}

/// A program that the kernel does not let a probe run is as good as one that it does not load.
#[test]
fn what_no_probe_can_be_put_at_is_watched_by_the_next_way() {
    let facts = kernel_with_probes();
    let mut plan = Plan::new(&facts, ALLOWED);
    let refused = |program: &Program| {
        (program.hook.to_string() == "kprobe/vfs_unlink").then(|| "no such symbol".to_owned())
    };
    assert!(plan.retreat(&facts, refused));
    let unlink = planned(&plan, "file.unlink");
    assert!(unlink.programs.iter().all(|program| matches!(program.hook, Hook::Syscall(_))), "{unlink:?}");
    assert!(unlink.reason.contains("keep_arguments: no such symbol"), "{}", unlink.reason);
    assert!(
        planned(&plan, "file.rmdir").programs.iter().any(|program| matches!(program.hook, Hook::Probe(_)))
    );
}

/// Three ways, as no row has them yet.
static THREE_WAYS: &[Observation] = &[Observation {
    name: "test",
    kinds: &[],
    attached: Attached::Always,
    ways: &[
        Way { needs: &[Capability::Fentry], programs: &[], blind: &[], label: "fentry" },
        Way { needs: &[Capability::CgroupSkb], programs: &[], blind: &[], label: "packets" },
        Way {
            needs: &[Capability::SyscallTracepoint],
            programs: &[],
            blind: &[Blind { given: Capability::RawTp, text: "something", cure: None }],
            label: "tracepoint",
        },
    ],
}];

#[test]
fn the_best_way_that_works_is_taken_and_the_reason_names_the_better_ones() {
    let decide = |missing: &[Capability], allowed| {
        let plan = Plan::of(THREE_WAYS, &kernel_without(missing), allowed);
        let planned = plan.observations[0].clone();
        (planned.way.map_or("none", |way| way.label), planned.reason, planned.blind)
    };
    assert_eq!(decide(&[], ALLOWED), ("fentry", String::new(), vec![]));
    assert_eq!(decide(&[Capability::Fentry], ALLOWED), ("packets", "fentry: refused".to_owned(), vec![]));
    let both = [Capability::Fentry, Capability::CgroupSkb];
    let reason = "fentry: refused; cgroup_skb: refused".to_owned();
    assert_eq!(decide(&both, ALLOWED), ("tracepoint", reason, vec!["something"]));
    let neither = Allowed { fentry: false, packets: false, ..ALLOWED };
    let reason = "fentry: off by use_fentry; cgroup_skb: off by network.enabled".to_owned();
    assert_eq!(decide(&[], neither), ("tracepoint", reason, vec!["something"]));
    let all = [Capability::Fentry, Capability::CgroupSkb, Capability::SyscallTracepoint];
    assert_eq!(decide(&all, ALLOWED).0, "none");
}

/// Where a call has a tracepoint of its own, it has a function of its own, and the other way round.
#[test]
fn the_functions_of_calls_are_those_of_their_tracepoints() {
    for row in observations() {
        let hooks = row.ways.iter().flat_map(|way| way.programs).map(|program| program.hook);
        let (mut by_tracepoint, mut by_function) = (BTreeSet::new(), BTreeSet::new());
        for hook in hooks {
            match hook {
                Hook::Syscall(name) => by_tracepoint.insert(name.to_owned()),
                Hook::Function(Function { name, side, .. }) => {
                    let side = if side == Side::Entry { "enter" } else { "exit" };
                    let native = name.strip_prefix("__x64_sys_").or(name.strip_prefix("__arm64_sys_"));
                    native.is_some_and(|call| by_function.insert(format!("sys_{side}_{call}")))
                }
                _ => false,
            };
        }
        if !by_function.is_empty() {
            assert_eq!(by_function, by_tracepoint, "{}", row.name);
        }
    }
}

/// A lockdown: programs load and fire, but what they report would be empty.
#[test]
fn where_programs_cannot_read_the_kernel_nothing_is_watched() {
    for old in [None, Some(OldPrograms::RawTracepoints), Some(OldPrograms::PerfEvents)] {
        let mut facts = kernel_without(&[Capability::ProbeRead]);
        facts.choose_object(old, Ok(None));
        let plan = Plan::new(&facts, ALLOWED);
        assert_eq!(plan.programs().count(), 0);
        assert!(planned(&plan, "process.exec").reason.contains("probe_read: refused"));
        assert_eq!(planned(&plan, "process.snapshot").way.unwrap().label, "/proc");
    }
}

/// Without a ring buffer or typed tracepoints the other object is loaded, and its programs are planned.
#[test]
fn old_kernels_get_programs_of_their_own() {
    let mut facts = kernel_without(&[Capability::RingBuffer, Capability::TpBtf]);
    facts.set(Capability::CompatSyscalls, Ok(String::new()));
    facts.choose_object(None, Ok(None));
    assert_eq!(facts.old, Some(OldPrograms::RawTracepoints));
    let plan = Plan::new(&facts, Allowed { compat: true, ..Allowed::everything_but_compat() });
    let exec = planned(&plan, "process.exec");
    assert_eq!(exec.programs, [Program { name: "on_exec", hook: Hook::RawTp("sched_process_exec") }]);
    assert!(!plan.has_trampolines(), "they are not among them");
    let chmod = planned(&plan, "file.chmod");
    assert!(chmod.programs.iter().all(|program| matches!(program.hook, Hook::Syscall(_))));
    assert!(chmod.blind.iter().any(|text| text.contains("32-bit")), "nothing cures that here");
    let dns = planned(&plan, "network.dns");
    assert!(dns.programs.iter().any(|program| program.hook == Hook::RawTp("net_dev_queue")));
    for (name, limit) in [("file.mount", "move_mount"), ("network.imds", "segment")] {
        let planned = planned(&plan, name);
        assert!(planned.blind.iter().any(|text| text.contains(limit)), "{planned:?}");
    }
    for lost in ["kernel.sysctl", "network.flows", "process.capabilities", "kernel.selinux"] {
        let planned = planned(&plan, lost);
        assert!(planned.way.is_none() && planned.reason.contains("kernels before 5.8"), "{planned:?}");
    }
    let others = plan.observations.iter().filter(|planned| planned.way.is_none());
    assert_eq!(others.count(), 4, "docs/old-kernels.md says what is not seen");
    assert!(planned(&plan, "process.snapshot").programs.is_empty(), "from /proc");
}

/// Before 4.17 there are no raw tracepoints: what is at one has another form. None is left without.
#[test]
fn without_raw_tracepoints_their_programs_are_put_there_by_perf_events() {
    let without = [Capability::RingBuffer, Capability::TpBtf, Capability::RawTp];
    let mut facts = kernel_without(&without);
    facts.choose_object(None, Ok(None));
    assert_eq!(facts.old, Some(OldPrograms::PerfEvents));
    let plan = Plan::new(&facts, Allowed::everything_but_compat());
    for program in plan.programs() {
        assert!(matches!(program.hook, Hook::Syscall(_) | Hook::Event(_)), "{program:?}");
    }
    let exec = planned(&plan, "process.exec");
    let by_event = Program { name: "on_exec_event", hook: Hook::Event(&["sched/sched_process_exec"]) };
    assert_eq!(exec.programs, [by_event]);
    assert!(exec.blind.iter().any(|text| text.contains("script")), "{:?}", exec.blind);
    let old = Plan::new(
        &{
            let mut facts = kernel_without(&without[..2]);
            facts.choose_object(None, Ok(None));
            facts
        },
        Allowed::everything_but_compat(),
    );
    assert_eq!(plan.programs().count(), old.programs().count());
}

/// Types come from the kernel, or from the file that is given; without either, it is said what to do.
#[test]
fn without_types_nothing_is_planned_and_the_reason_says_what_to_do() {
    let mut facts = kernel_without(&[Capability::Btf]);
    facts.choose_object(None, Ok(None));
    let plan = Plan::new(&facts, Allowed::everything_but_compat());
    let exec = planned(&plan, "process.exec");
    assert!(exec.way.is_none() && exec.reason.contains("system_probe_config.btf_path"), "{}", exec.reason);
    facts.choose_object(None, Ok(Some("/types.btf".into())));
    let plan = Plan::new(&facts, Allowed::everything_but_compat());
    assert!(planned(&plan, "process.exec").way.is_some());
    assert_eq!(facts.types, Some(std::path::Path::new("/types.btf")));
}
