//! The plan for each thing that a kernel may lack.

use super::table::Blind;
use super::*;

const ALLOWED: Allowed =
    Allowed { fentry: true, kprobe: true, compat: false, packets: true, packets_in: true };

/// A kernel that can do everything but these, without ways around the tracepoints of calls.
fn kernel_without(missing: &[Capability]) -> Facts {
    let mut facts = Facts::default();
    for capability in Capability::ALL {
        let around = [Capability::CompatSyscalls, Capability::IoUring].contains(&capability);
        let lacks = around || missing.contains(&capability);
        facts.set(capability, if lacks { Err("refused".to_owned()) } else { Ok(String::new()) });
    }
    facts
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

/// What is watched on demand and needs something of the kernel.
fn on_demand_by(needed: Capability) -> Vec<&'static str> {
    let on_demand = observations().filter(|row| row.attached == Attached::OnDemand);
    on_demand
        .filter(|row| row.ways.iter().all(|way| way.needs.contains(&needed)))
        .map(|row| row.name)
        .collect()
}

const BY_PACKETS: [&str; 3] = ["network.dns", "network.imds", "network.packet"];

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
fn without_tracefs_what_is_watched_by_calls_is_lost() {
    let by_calls = on_demand_by(Capability::SyscallTracepoint);
    assert!(by_calls.len() > 30, "{by_calls:?}");
    assert_eq!(unavailable(&[Capability::SyscallTracepoint]), by_calls);
    let plan = Plan::new(&kernel_without(&[Capability::SyscallTracepoint]), ALLOWED);
    assert_eq!(planned(&plan, "process.capset").reason, "syscall_tracepoint: refused");
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
fn what_no_way_needs_is_not_missed() {
    let unused =
        [Capability::Fentry, Capability::Fexit, Capability::Lsm, Capability::Kprobe, Capability::RawTp];
    assert_eq!(unavailable(&unused), [""; 0]);
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
    for (observation, has_operation) in [("file.open", true), ("file.unlink", true), ("file.chmod", false)] {
        let blind = &planned(&plan, observation).blind;
        assert_eq!(blind.iter().any(|text| text.contains("io_uring")), has_operation, "{observation}");
    }
}

#[test]
fn they_are_seen_where_the_settings_allow_the_cost() {
    let allowed = Allowed { compat: true, ..ALLOWED };
    let mut facts = kernel_without(&[]);
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
    assert_eq!(names(&[Kind::Capset]), [&always[..], &["enter_capset", "exit_capset"]].concat());
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

/// Three ways, as later rows have them.
static THREE_WAYS: &[Observation] = &[Observation {
    name: "test",
    kinds: &[],
    attached: Attached::Always,
    ways: &[
        Way { needs: &[Capability::Fentry], programs: &[], blind: &[], label: "fentry" },
        Way { needs: &[Capability::Kprobe], programs: &[], blind: &[], label: "kprobe" },
        Way {
            needs: &[Capability::SyscallTracepoint],
            programs: &[],
            blind: &[Blind { given: Capability::RawTp, text: "something", cure: &[] }],
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
    assert_eq!(decide(&[Capability::Fentry], ALLOWED), ("kprobe", "fentry: refused".to_owned(), vec![]));
    let both = [Capability::Fentry, Capability::Kprobe];
    let reason = "fentry: refused; kprobe: refused".to_owned();
    assert_eq!(decide(&both, ALLOWED), ("tracepoint", reason, vec!["something"]));
    let neither = Allowed { fentry: false, kprobe: false, ..ALLOWED };
    let reason = "fentry: off by use_fentry; kprobe: off by use_kprobe_fallback".to_owned();
    assert_eq!(decide(&[], neither), ("tracepoint", reason, vec!["something"]));
    let all = [Capability::Fentry, Capability::Kprobe, Capability::SyscallTracepoint];
    assert_eq!(decide(&all, ALLOWED).0, "none");
}
