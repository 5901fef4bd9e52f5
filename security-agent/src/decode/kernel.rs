//! Events of kernel activity.

use model::payload::{
    Bpf, BpfMap, BpfProgram, Call, Capabilities, CgroupWrite, IoUringSetup, LoadModule, MemfdCreate, Mmap,
    Mprotect, Prctl, ProcessVmWritev, Ptrace, Selinux, Setns, Setrlimit, Signal, Sysctl, UnloadModule,
    Unshare, Userfaultfd,
};
use model::{Payload, Text, TextList};
use proto::wire::layout::{
    ERROR_FILE, MODULE_FLAG_ARGS_TRUNCATED, MODULE_FLAG_FROM_MEMORY, PRCTL_FLAG_NAME_TRUNCATED, SELINUX_BOOL,
    SELINUX_COMMIT, SELINUX_DISABLE, SELINUX_ENFORCE, SELINUX_FLAG_NO_NUMBER, SYSCTL_FLAG_NAME_TRUNCATED,
    SYSCTL_FLAG_OLD_VALUE_TRUNCATED, SYSCTL_FLAG_VALUE_TRUNCATED, bpf_body, capabilities_body,
    cgroup_write_body, file_info, load_module_body, made_descriptor_body, mmap_body, mprotect_body,
    namespaces_body, prctl_body, process_vm_writev_body, ptrace_body, selinux_body, setrlimit_body,
    signal_body, span, sysctl_body, target, unload_module_body,
};
use proto::wire::{Kind, Record};

use super::file::file;
use super::{Data, ProcessKey, until_nul};
use crate::resolve::users::Users;

/// `MAP_ANONYMOUS`.
const ANONYMOUS: u32 = 0x20;

/// An event of kernel activity.
#[derive(Debug)]
pub struct Activity {
    /// What happened; the process that it was done to is not filled in.
    pub event: Payload,
    /// The process that it was done to.
    pub target: Option<ProcessKey>,
}

/// What a record tells; `None` if its kind is of another family.
pub(super) fn activity(record: &Record<'_>, users: &Users) -> Option<Activity> {
    let view = View { record, users };
    let alone = |event| Activity { event, target: None };
    Some(match record.kind() {
        Kind::Ptrace => ptrace(&record.body()),
        Kind::Signal => signal(&record.body()),
        Kind::Setrlimit => setrlimit(&record.body()),
        Kind::ProcessVmWritev => process_vm_writev(&record.body()),
        Kind::Bpf => alone(Payload::Bpf(bpf(&record.body()))),
        Kind::LoadModule => alone(Payload::LoadModule(load_module(view, &record.body()))),
        Kind::UnloadModule => alone(Payload::UnloadModule(unload_module(view, &record.body()))),
        Kind::Mmap => alone(Payload::Mmap(mmap(view, &record.body()))),
        Kind::Mprotect => alone(Payload::Mprotect(mprotect(&record.body()))),
        Kind::Prctl => alone(Payload::Prctl(prctl(&record.body()))),
        Kind::CgroupWrite => alone(Payload::CgroupWrite(cgroup_write(view, &record.body()))),
        Kind::Sysctl => alone(Payload::Sysctl(sysctl(view, &record.body()))),
        Kind::Unshare => alone(Payload::Unshare(unshare(&record.body()))),
        Kind::Setns => alone(Payload::Setns(setns(&record.body()))),
        Kind::Userfaultfd => alone(Payload::Userfaultfd(userfaultfd(&record.body()))),
        Kind::MemfdCreate => alone(Payload::MemfdCreate(memfd_create(view, &record.body()))),
        Kind::IoUringSetup => alone(Payload::IoUringSetup(io_uring_setup(&record.body()))),
        Kind::Capabilities => alone(Payload::Capabilities(capabilities(&record.body()))),
        Kind::Selinux => alone(Payload::Selinux(selinux(view, &record.body()))),
        _ => return None,
    })
}

/// A record, with what it takes to put names to numbers.
#[derive(Clone, Copy)]
struct View<'v, 'r> {
    record: &'v Record<'r>,
    users: &'v Users,
}

impl View<'_, '_> {
    fn text(self, span: span) -> Text {
        Text::new(Data::of(self.record, span).bytes())
    }

    fn file(self, info: &file_info) -> model::File {
        file(self.record, info, self.record.header().errors & ERROR_FILE != 0, self.users)
    }
}

fn capabilities(body: &capabilities_body) -> Capabilities {
    Capabilities { attempted: body.attempted, used: body.used }
}

fn selinux(view: View<'_, '_>, body: &selinux_body) -> Selinux {
    let file = view.file(&body.file);
    let is_number = body.flags & SELINUX_FLAG_NO_NUMBER == 0;
    let (mut event, is_on) = (Selinux::default(), body.value != 0);
    match body.what {
        SELINUX_ENFORCE if is_number => {
            event.enforce_status = if is_on { "enforcing" } else { "permissive" }.into();
        }
        // Writing 0 changes nothing.
        SELINUX_DISABLE if is_number && is_on => event.enforce_status = "disabled".into(),
        SELINUX_BOOL => {
            event.bool_name = file.name().into();
            event.bool_state = match (is_number, is_on) {
                (false, _) => "error",
                (true, true) => "on",
                (true, false) => "off",
            }
            .into();
        }
        SELINUX_COMMIT => event.bool_commit = is_number && is_on,
        _ => {}
    }
    event.file = Some(Box::new(file));
    event
}

fn result(retval: i64) -> Call {
    Call { retval }
}

/// The process of a target, if it was found.
fn key(target: &target) -> Option<ProcessKey> {
    (target.pid != 0).then_some(ProcessKey { pid: target.pid, start_time_ns: target.start_time_ns })
}

/// Its number: as the host sees it, or as given where it was not found. Groups and everybody have none.
fn pid(target: &target) -> u32 {
    if target.pid == 0 { u32::try_from(target.given).unwrap_or(0) } else { target.pid }
}

fn ptrace(body: &ptrace_body) -> Activity {
    let event =
        Ptrace { request: body.request, call: result(body.retval), address: body.address, tracee: None };
    Activity { event: Payload::Ptrace(event), target: key(&body.tracee) }
}

fn signal(body: &signal_body) -> Activity {
    let target = &body.target;
    let event = Signal { signal: body.signal, pid: pid(target), call: result(body.retval), target: None };
    Activity { event: Payload::Signal(event), target: key(target) }
}

fn setrlimit(body: &setrlimit_body) -> Activity {
    let event = Setrlimit {
        resource: body.resource,
        soft: body.soft,
        hard: body.hard,
        call: result(body.retval),
        target: None,
    };
    Activity { event: Payload::Setrlimit(event), target: key(&body.target) }
}

fn process_vm_writev(body: &process_vm_writev_body) -> Activity {
    let target = &body.target;
    let event =
        ProcessVmWritev { pid: pid(target), call: result(body.retval), target: None, address: body.address };
    Activity { event: Payload::ProcessVmWritev(event), target: key(target) }
}

fn bpf(body: &bpf_body) -> Bpf {
    Bpf {
        cmd: body.cmd,
        map: BpfMap { name: Text::new(until_nul(&body.map_name)), map_type: body.map_type, id: body.map_id },
        prog: BpfProgram {
            name: Text::new(until_nul(&body.program_name)),
            tag: tag(&body.program_tag),
            program_type: body.program_type,
            attach_type: body.attach_type,
            helpers: helpers(&body.helpers),
            id: body.program_id,
        },
        call: result(body.retval),
    }
}

/// In hexadecimal; empty where the kernel has made no program.
fn tag(bytes: &[u8]) -> Text {
    if bytes.iter().all(|byte| *byte == 0) {
        return Text::default();
    }
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    let text: String = bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect();
    Text::from(text.as_str())
}

/// The numbers of the bits that are set.
fn helpers(words: &[u64]) -> Box<[i64]> {
    let bits = words.iter().flat_map(|word| (0..64).map(move |bit| word >> bit & 1 == 1));
    (0..).zip(bits).filter_map(|(number, is_set)| is_set.then_some(number)).collect()
}

fn load_module(view: View<'_, '_>, body: &load_module_body) -> LoadModule {
    let from_memory = body.flags & MODULE_FLAG_FROM_MEMORY != 0;
    let args = Data::of(view.record, body.args).bytes();
    let parameters = args.split(u8::is_ascii_whitespace).filter(|parameter| !parameter.is_empty());
    LoadModule {
        name: view.text(body.name),
        loaded_from_memory: from_memory,
        argv: TextList::new(parameters),
        args_truncated: body.flags & MODULE_FLAG_ARGS_TRUNCATED != 0,
        file: (!from_memory).then(|| Box::new(view.file(&body.file))),
        call: result(body.retval),
    }
}

fn unload_module(view: View<'_, '_>, body: &unload_module_body) -> UnloadModule {
    UnloadModule { name: view.text(body.name), call: result(body.retval) }
}

fn mmap(view: View<'_, '_>, body: &mmap_body) -> Mmap {
    // Where it was put; a call that was refused has only what it asked for.
    let address = if body.retval > 0 { body.retval.cast_unsigned() } else { body.address };
    Mmap {
        flags: body.flags.into(),
        protection: body.protection.into(),
        file: (body.flags & ANONYMOUS == 0).then(|| Box::new(view.file(&body.file))),
        call: result(body.retval),
        address,
        offset: body.offset,
        length: body.length,
    }
}

fn mprotect(body: &mprotect_body) -> Mprotect {
    Mprotect {
        vm_protection: body.vm_flags,
        req_protection: body.protection,
        call: result(body.retval),
        vm_start: body.vm_start,
        vm_end: body.vm_end,
    }
}

fn prctl(body: &prctl_body) -> Prctl {
    Prctl {
        option: body.option,
        new_name: Text::new(until_nul(&body.name)),
        is_name_truncated: body.flags & PRCTL_FLAG_NAME_TRUNCATED != 0,
        call: result(body.retval),
    }
}

fn cgroup_write(view: View<'_, '_>, body: &cgroup_write_body) -> CgroupWrite {
    CgroupWrite { pid: body.target.pid, file: view.file(&body.file) }
}

fn sysctl(view: View<'_, '_>, body: &sysctl_body) -> Sysctl {
    // Values end as lines do, the written ones as well mostly.
    let value = |span| Text::new(Data::of(view.record, span).bytes().trim_ascii_end());
    let flag = |bit: u32| body.flags & bit != 0;
    Sysctl {
        action: body.action,
        file_position: body.file_position,
        name: view.text(body.name),
        name_truncated: flag(SYSCTL_FLAG_NAME_TRUNCATED),
        value: value(body.value),
        value_truncated: flag(SYSCTL_FLAG_VALUE_TRUNCATED),
        old_value: value(body.old_value),
        old_value_truncated: flag(SYSCTL_FLAG_OLD_VALUE_TRUNCATED),
    }
}

fn unshare(body: &namespaces_body) -> Unshare {
    Unshare { flags: body.flags, call: result(body.retval) }
}

fn setns(body: &namespaces_body) -> Setns {
    Setns { flags: body.flags, namespace: body.inode, pid: body.target.pid, call: result(body.retval) }
}

fn userfaultfd(body: &made_descriptor_body) -> Userfaultfd {
    Userfaultfd { flags: body.flags, call: result(body.retval) }
}

fn memfd_create(view: View<'_, '_>, body: &made_descriptor_body) -> MemfdCreate {
    MemfdCreate { name: view.text(body.name), flags: body.flags, call: result(body.retval) }
}

fn io_uring_setup(body: &made_descriptor_body) -> IoUringSetup {
    IoUringSetup { entries: body.entries, flags: body.flags, call: result(body.retval) }
}

#[cfg(test)]
mod tests;
