//! Every program, loaded alone: what the verifier of the running kernel says of each is not hidden by another's
//! failure. The list is the object's own.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::mem::MaybeUninit;

use bpf::CwsSkelBuilder;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::SkelBuilder as _;

#[test]
fn every_program_loads_alone() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: loading BPF programs needs root");
        return;
    }
    let mut object = MaybeUninit::uninit();
    let open = CwsSkelBuilder::default().open(&mut object).unwrap();
    let names: Vec<_> = open.open_object().progs().map(|program| program.name().to_owned()).collect();
    drop(open);
    assert!(names.iter().any(|name| name == "on_exec"), "{names:?}");
    let has_modules = std::path::Path::new("/proc/modules").exists();
    let mut refused = Vec::new();
    for name in names {
        if !has_modules && ["on_module_load", "on_module_free"].iter().any(|of_modules| name == *of_modules) {
            println!("skipped: {} has no tracepoint on a kernel without modules", name.display());
            continue;
        }
        let mut object = MaybeUninit::uninit();
        let mut open = CwsSkelBuilder::default().open(&mut object).unwrap();
        for mut program in open.open_object_mut().progs_mut() {
            let wanted = program.name() == name.as_os_str();
            program.set_autoload(wanted);
        }
        if let Err(error) = open.load() {
            refused.push(format!("{}: {error:#}", name.display()));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
