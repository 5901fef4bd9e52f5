//! Every program, loaded alone: what the verifier of the running kernel says of each is not hidden by another's
//! failure. The list is the object's own.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::sync::Mutex;

use bpf::CwsSkelBuilder;
use libbpf_rs::PrintLevel;
use libbpf_rs::ProgramAttachType;
use libbpf_rs::ProgramType;
use libbpf_rs::set_print;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::SkelBuilder as _;

/// What libbpf says.
static SAID: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn keep(_: PrintLevel, message: String) {
    SAID.lock().unwrap().push(message);
}

/// Instructions that the verifier went through, from the last line of its log.
fn verified() -> Option<u64> {
    let said = std::mem::take(&mut *SAID.lock().unwrap());
    let count = |message: &String| {
        let (_, rest) = message.rsplit_once("processed ")?;
        rest.split_whitespace().next()?.parse().ok()
    };
    said.iter().filter_map(count).max()
}

/// The last that the verifier says of a program that it refuses; with CWS_PROGRAMS, which names programs, its whole log.
fn last_words() -> String {
    let said = std::mem::take(&mut *SAID.lock().unwrap());
    let log = said.iter().rev().find(|message| message.contains("-- BEGIN PROG LOAD LOG --"));
    let Some(log) = log.or(said.last()) else { return String::new() };
    if std::env::var_os("CWS_PROGRAMS").is_some() {
        return log.clone();
    }
    let mut words = log.lines().filter(|line| !line.starts_with("processed ") && !line.starts_with("-- END"));
    words.next_back().unwrap_or_default().to_owned()
}

/// Programs at functions of the kernel. As such of trampolines only some load: a kernel has some of these functions, in
/// one of their forms. That those load which are planned for the running one is what `system-probe check` shows. As such
/// of probes all have to: what they are at does not matter before they are attached.
fn is_at_function(section: &str) -> bool {
    section.starts_with("fentry/") || section.starts_with("fexit/")
}

/// Prints what each costs the verifier, for comparison with other kernels and earlier programs.
#[test]
fn every_program_loads_alone() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: loading BPF programs needs root");
        return;
    }
    set_print(Some((PrintLevel::Debug, keep)));
    let mut object = MaybeUninit::uninit();
    let open = CwsSkelBuilder::default().open(&mut object).unwrap();
    let programs = open.open_object().progs();
    let programs: Vec<_> = programs
        .map(|program| (program.name().to_owned(), program.section().to_string_lossy().into_owned()))
        .collect();
    drop(open);
    assert!(programs.iter().any(|(name, _)| name == "on_exec"), "{programs:?}");
    let has_modules = std::path::Path::new("/proc/modules").exists();
    let mut refused = Vec::new();
    let chosen = std::env::var("CWS_PROGRAMS").ok();
    // All at once takes seconds, one by one minutes: that is for when one is refused.
    let at_functions = programs.iter().filter(|(_, section)| is_at_function(section));
    let at_functions: Vec<_> = at_functions.map(|(name, _)| name.as_os_str()).collect();
    let all_by_probes = load(&at_functions, 0, true).is_ok();
    for (name, section) in programs {
        if chosen.as_ref().is_some_and(|chosen| !chosen.split(' ').any(|wanted| name == *wanted)) {
            continue;
        }
        if !has_modules && ["on_module_load", "on_module_free"].iter().any(|of_modules| name == *of_modules) {
            println!("skipped: {} has no tracepoint on a kernel without modules", name.display());
            continue;
        }
        let by_probe = is_at_function(&section);
        let log_level = if chosen.is_some() { 1 } else { STATISTICS };
        if by_probe {
            match load(&[&name], log_level, false) {
                Ok(()) => println!("verified: {} {}", name.display(), verified().unwrap_or(0)),
                Err(_) => println!("refused: {}: {}", name.display(), last_words()),
            }
        }
        if by_probe && all_by_probes {
            continue;
        }
        match load(&[&name], log_level, by_probe) {
            Ok(()) if by_probe => println!("verified: {} by a probe", name.display()),
            Ok(()) => println!("verified: {} {}", name.display(), verified().unwrap_or(0)),
            Err(error) if by_probe => refused.push(format!("{} by a probe: {error:#}", name.display())),
            Err(error) => refused.push(format!("{}: {error:#}", name.display())),
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

/// What the verifier is to say: the last line of its log.
const STATISTICS: u32 = 4;

/// Loads programs and no others, as such of probes if that is wanted.
fn load(names: &[&OsStr], log_level: u32, by_probe: bool) -> libbpf_rs::Result<()> {
    let mut object = MaybeUninit::uninit();
    let mut open = CwsSkelBuilder::default().open(&mut object)?;
    open.maps.rodata_data.as_deref_mut().unwrap().functions_by_probes = by_probe;
    for mut program in open.open_object_mut().progs_mut() {
        let wanted = names.contains(&program.name());
        program.set_autoload(wanted);
        program.set_log_level(log_level);
        if wanted && by_probe {
            program.set_prog_type(ProgramType::Kprobe);
            program.set_attach_type(ProgramAttachType::CgroupInetIngress);
        }
    }
    let _ = verified();
    open.load().map(drop)
}
