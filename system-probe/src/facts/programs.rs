//! Tries one program of each type: load, attach, make it fire.

use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::time::Duration;

use bpf::facts::FactsSkel;
use bpf::facts::FactsSkelBuilder;
use libbpf_rs::Iter;
use libbpf_rs::Link;
use libbpf_rs::MapCore as _;
use libbpf_rs::MapFlags;
use libbpf_rs::MapHandle;
use libbpf_rs::MapType;
use libbpf_rs::ProgramMut;
use libbpf_rs::libbpf_sys;
use libbpf_rs::skel::OpenSkel as _;
use libbpf_rs::skel::Skel as _;
use libbpf_rs::skel::SkelBuilder as _;

use super::Capability;
use crate::cgroup_root::CgroupRoot;
use crate::libbpf_log;
use crate::tracefs::Tracefs;

/// Looks at whether a program ran, and the time between two of them.
const FIRE_LOOKS: u32 = 20;
const FIRE_WAIT: Duration = Duration::from_millis(5);

/// How it works, or why not.
pub(super) type Outcome = Result<String, String>;

/// One program of facts.bpf.c.
struct Trial {
    capability: Capability,
    program: &'static str,
    attach: fn(&ProgramMut<'_>) -> Result<Attached, String>,
    /// Does what should make the program fire, or says why that cannot be done here.
    trigger: fn(&Attached) -> Result<(), String>,
}

/// An attached program, and how that was done if there are several ways.
struct Attached {
    link: Link,
    how: String,
}

const TRIALS: [Trial; 10] = [
    Trial { capability: Capability::TpBtf, program: "fact_tp_btf", attach, trigger: end_a_thread },
    Trial { capability: Capability::RawTp, program: "fact_raw_tp", attach, trigger: end_a_thread },
    // The start of a thread fires, in the one that starts it.
    Trial { capability: Capability::ProbeRead, program: "fact_probe_read", attach, trigger: end_a_thread },
    Trial {
        capability: Capability::SyscallTracepoint,
        program: "fact_syscall_tracepoint",
        attach: attach_syscall,
        trigger: call_getppid,
    },
    Trial { capability: Capability::IterTask, program: "fact_iter_task", attach, trigger: read_iterator },
    Trial { capability: Capability::Fentry, program: "fact_fentry", attach, trigger: open_a_file },
    Trial { capability: Capability::Fexit, program: "fact_fexit", attach, trigger: open_a_file },
    Trial { capability: Capability::Lsm, program: "fact_lsm", attach, trigger: open_a_file },
    Trial {
        capability: Capability::CgroupSkb,
        program: "fact_cgroup_skb",
        attach: attach_cgroup,
        trigger: send_a_packet,
    },
    Trial {
        capability: Capability::CgroupSysctl,
        program: "fact_cgroup_sysctl",
        attach: attach_cgroup,
        trigger: read_a_parameter,
    },
];

/// The same as at a raw tracepoint, for kernels without.
const PROBE_READ_BY_EVENT: Trial = Trial {
    capability: Capability::ProbeRead,
    program: "fact_probe_read_by_event",
    attach: attach_syscall,
    trigger: call_getppid,
};

/// Tries all of them.
pub(super) fn try_all() -> Vec<(Capability, Outcome)> {
    // What libbpf prints about a program that is expected to fail would only frighten.
    let (outcomes, _) = libbpf_log::capture(|| {
        let mut outcomes: Vec<_> = TRIALS.iter().map(|trial| (trial.capability, trial.run())).collect();
        if outcomes.iter().any(|(capability, outcome)| *capability == Capability::RawTp && outcome.is_err()) {
            outcomes.push((PROBE_READ_BY_EVENT.capability, PROBE_READ_BY_EVENT.run()));
        }
        outcomes
    });
    outcomes
}

impl Trial {
    fn run(&self) -> Outcome {
        let mut storage = MaybeUninit::uninit();
        let mut open =
            FactsSkelBuilder::default().open(&mut storage).map_err(|error| failed("open", &error))?;
        for mut program in open.open_object_mut().progs_mut() {
            let wanted = program.name() == self.program;
            program.set_autoload(wanted);
        }
        let skeleton = open.load().map_err(|error| failed("load", &error))?;
        let programs = skeleton.object().progs_mut();
        let program = programs.into_iter().find(|program| program.name() == self.program);
        let program = program.ok_or("the object lacks it")?;
        let attached = (self.attach)(&program)?;
        (self.trigger)(&attached).map_err(|reason| format!("attached, but it cannot be tried: {reason}"))?;
        if has_fired(&skeleton) { Ok(attached.how) } else { Err("attached, but it does not fire".to_owned()) }
    }
}

/// Waits for it a little: a thread can be joined some moments before its end reaches the tracepoint.
pub(super) fn has_fired(skeleton: &FactsSkel<'_>) -> bool {
    (0..FIRE_LOOKS).any(|look| {
        if look > 0 {
            std::thread::sleep(FIRE_WAIT);
        }
        fired(skeleton)
    })
}

fn fired(skeleton: &FactsSkel<'_>) -> bool {
    let place = skeleton.maps.fired.lookup(&0_u32.to_ne_bytes(), MapFlags::ANY).ok().flatten();
    place.is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0))
}

pub(super) fn failed(action: &str, error: &libbpf_rs::Error) -> String {
    // ENOTSUPP of linux/errno.h, which is not meant for processes and has no text in their libraries.
    let text = format!("{action}: {error:#}");
    text.replace("Unknown error 524 (os error 524)", "this kernel does not support it (error 524)")
}

fn attach(program: &ProgramMut<'_>) -> Result<Attached, String> {
    let link = program.attach().map_err(|error| failed("attach", &error))?;
    Ok(Attached { link, how: String::new() })
}

fn attach_syscall(program: &ProgramMut<'_>) -> Result<Attached, String> {
    let tracefs = Tracefs::open().map_err(|error| format!("tracefs: {error}"))?;
    let event = tracefs.syscall_event("sys_exit_getppid").map_err(|error| format!("perf event: {error}"))?;
    let link = event.attach(program).map_err(|error| failed("attach", &error))?;
    Ok(Attached { link, how: format!("tracefs at {}", tracefs.place()) })
}

fn attach_cgroup(program: &ProgramMut<'_>) -> Result<Attached, String> {
    let root = CgroupRoot::open().map_err(|error| format!("control groups: {error}"))?;
    let link =
        program.attach_cgroup(root.descriptor().as_raw_fd()).map_err(|error| failed("attach", &error))?;
    Ok(Attached { link, how: format!("control groups at {}", root.place()) })
}

/// To itself; nothing leaves this machine.
fn send_a_packet(_: &Attached) -> Result<(), String> {
    let sent = std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| {
        let address = socket.local_addr()?;
        socket.send_to(b"", address)
    });
    sent.map(drop).map_err(|error| format!("no packet can be sent to 127.0.0.1: {error}"))
}

fn read_a_parameter(_: &Attached) -> Result<(), String> {
    read("/proc/sys/kernel/ostype")
}

fn end_a_thread(_: &Attached) -> Result<(), String> {
    // It does not panic.
    drop(std::thread::spawn(|| ()).join());
    Ok(())
}

fn call_getppid(_: &Attached) -> Result<(), String> {
    let _ = rustix::process::getppid();
    Ok(())
}

fn open_a_file(_: &Attached) -> Result<(), String> {
    open_any_file()
}

pub(super) fn open_any_file() -> Result<(), String> {
    read("/proc/self/stat")
}

fn read(path: &str) -> Result<(), String> {
    std::fs::read(path).map(drop).map_err(|error| format!("{path}: {error}"))
}

fn read_iterator(attached: &Attached) -> Result<(), String> {
    let read = Iter::new(&attached.link).map_err(|error| error.to_string()).and_then(|mut iterator| {
        // It writes nothing; reading to the end runs it for each task.
        std::io::copy(&mut iterator, &mut std::io::sink()).map_err(|error| error.to_string())
    });
    read.map(drop).map_err(|error| format!("the iterator cannot be read: {error}"))
}

/// Whether the kernel describes its types.
pub(super) fn kernel_btf() -> Outcome {
    let path = "/sys/kernel/btf/vmlinux";
    std::fs::File::open(path).map(|_| path.to_owned()).map_err(|error| format!("{path}: {error}"))
}

/// Whether ring buffers can be made.
pub(super) fn ring_buffer() -> Outcome {
    let page_size = u32::try_from(rustix::param::page_size()).map_err(|error| error.to_string())?;
    let options = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
        ..Default::default()
    };
    let made = MapHandle::create(MapType::RingBuf, Some("fact_ring"), 0, 0, page_size, &options);
    made.map(|_| String::new()).map_err(|error| failed("create", &error))
}
