//! The payload of an event, in the terms of the model.

use model::{Payload as ModelPayload, payload};

use crate::cache::process_tree::ProcessTree;
use crate::decode::{Activity, Payload};
use crate::resolve::users::Users;

/// What rules see of what happened; what is made for them already is taken out.
pub(super) fn payload(decoded: &mut Payload<'_>, users: &Users, tree: &ProcessTree) -> ModelPayload {
    match decoded {
        Payload::Exec(exec) => ModelPayload::Exec(payload::Exec {
            syscall_path: exec.filename.into(),
            ..payload::Exec::default()
        }),
        Payload::Exit(exit) => ModelPayload::Exit(payload::Exit { cause: exit.cause, code: exit.code }),
        Payload::Setuid(change) => ModelPayload::Setuid(payload::Setuid {
            uid: change.uid,
            user: users.user(change.uid),
            euid: change.euid,
            euser: users.user(change.euid),
            fsuid: change.fsuid,
            fsuser: users.user(change.fsuid),
        }),
        Payload::Setgid(change) => ModelPayload::Setgid(payload::Setgid {
            gid: change.gid,
            group: users.group(change.gid),
            egid: change.egid,
            egroup: users.group(change.egid),
            fsgid: change.fsgid,
            fsgroup: users.group(change.fsgid),
        }),
        Payload::Capset(change) => ModelPayload::Capset(payload::Capset {
            cap_effective: change.cap_effective,
            cap_permitted: change.cap_permitted,
        }),
        Payload::File(event) | Payload::Socket(event) => {
            std::mem::replace(&mut **event, ModelPayload::Fork(payload::Fork {}))
        }
        Payload::Kernel(activity) => with_target(activity, tree),
        Payload::Fork(_) | Payload::CgroupAttach(_) | Payload::Packet(_) => {
            ModelPayload::Fork(payload::Fork {})
        }
    }
}

/// Kernel activity with the process that it was done to.
fn with_target(activity: &mut Activity, tree: &ProcessTree) -> ModelPayload {
    let target = activity.target.map(|key| tree.target(key));
    let mut event = std::mem::replace(&mut activity.event, ModelPayload::Fork(payload::Fork {}));
    match &mut event {
        ModelPayload::Ptrace(ptrace) => ptrace.tracee = target,
        ModelPayload::Signal(signal) => signal.target = target,
        ModelPayload::Setrlimit(setrlimit) => setrlimit.target = target,
        ModelPayload::ProcessVmWritev(write) => write.target = target,
        _ => {}
    }
    event
}
