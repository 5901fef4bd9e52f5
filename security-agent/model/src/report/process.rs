//! Processes in reports.

use std::sync::Arc;

use super::file::FILE;
use super::object::objects;
use super::{Scope, non_zero, text, texts, yes};
use crate::constants::{CAPABILITY, SSH_AUTH_METHOD, USER_SESSION_TYPE};
use crate::container::{Cgroup, Container, UserSession};
use crate::event::{Event, Payload};
use crate::payload::{Capset, Setgid, Setuid};
use crate::process::{Credentials, Image, Process};

/// The most ancestors that a report shows; a process with more is marked.
const MAX_ANCESTORS: usize = 200;

objects! {
    /// A process.
    PROCESS: "Process" of Process = |process, scope| {
        /// Process id.
        "pid" [opt int] = non_zero(process.pid);
        /// Process id of the parent.
        "ppid" [opt int] = non_zero(process.ppid);
        /// Thread id.
        "tid" [opt int] = non_zero(process.tid);
        /// Real user id.
        "uid" [int] = i64::from(process.credentials.uid);
        /// Real group id.
        "gid" [int] = i64::from(process.credentials.gid);
        /// Name of the real user.
        "user" [opt str] = text(&process.credentials.user);
        /// Name of the real group.
        "group" [opt str] = text(&process.credentials.group);
        /// Why the path of the executable is missing or cut.
        "path_resolution_error" [opt str] = text(&process.image.file.path_error);
        /// Name of the main thread.
        "comm" [opt str] = text(&process.comm);
        /// Name of the controlling terminal.
        "tty" [opt str] = text(&process.tty_name);
        /// When it was forked.
        "fork_time" [time] = process.fork_time;
        /// When it executed its program.
        "exec_time" [time] = process.exec_time;
        /// When it ended.
        "exit_time" [time] = process.exit_time;
        /// Users, groups and capabilities.
        "credentials" [object CREDENTIALS] = &process.credentials;
        /// The executable.
        "executable" [opt object FILE] = Some(&process.image.file).filter(|file| !file.is_absent());
        /// The interpreter of a script.
        "interpreter" [opt object FILE] = process.image.interpreter.as_deref();
        /// The container it runs in.
        "container" [opt object CONTAINER] = process.container.as_deref();
        /// The control group it is in.
        "cgroup" [opt object CGROUP] = process.cgroup.as_deref();
        /// The session of a person that it belongs to.
        "user_session" [opt object USER_SESSION] = process.user_session.as_deref();
        /// The process runs the program of its parent.
        "is_thread" [opt bool] = yes(process.is_thread);
        /// The process is a worker of the kernel.
        "is_kworker" [opt bool] = yes(process.is_kworker);
        /// The process executed one program after another, without a fork between.
        "is_exec_child" [opt bool] = yes(is_exec_child(process));
        /// How the agent learnt of it: `event`, `snapshot` or `placeholder`.
        "source" [opt str] = Some(process.source.name().to_owned());
        /// Capabilities it tried to use.
        "caps_attempted" [opt strs] = capabilities(process.caps_attempted);
        /// Capabilities it used.
        "caps_used" [opt strs] = capabilities(process.caps_used);
    }

    /// Arguments and environment of a process.
    INVOCATION: "Invocation" of Image = |image, scope| {
        /// First argument: by convention, the name of the program.
        "argv0" [opt str] = text(image.arguments.first());
        /// The other arguments, secrets hidden.
        "args" [opt strs] = arguments(image, scope);
        /// The arguments were cut.
        "args_truncated" [opt bool] = yes(image.args_truncated);
        /// Names of environment variables; a few that decide what is executed or logged with their values.
        "envs" [opt strs] = environment_names(image);
        /// The environment was cut.
        "envs_truncated" [opt bool] = yes(image.envs_truncated);
    }

    /// A process with its arguments.
    INVOKED_PROCESS: "InvokedProcess" of Process = |process, scope| {
        /// The process.
        "" [flat PROCESS] = process;
        /// Arguments and environment.
        "" [flat INVOCATION] = &process.image;
    }

    /// An ancestor. One that shares the arguments of the entry before it is told without them.
    ANCESTOR: "Ancestor" of Ancestor = |ancestor, scope| {
        /// The process.
        "" [flat PROCESS] = &ancestor.process;
        /// Arguments and environment.
        "" [opt flat INVOCATION] = ancestor.has_own_image.then_some(&*ancestor.process.image);
    }

    /// A process with what it descends from.
    PROCESS_CONTEXT: "ProcessContext" of Process = |process, scope| {
        /// The process.
        "" [flat INVOKED_PROCESS] = process;
        /// The nearest ancestor that is another process, as in rules.
        "parent" [opt object INVOKED_PROCESS] = process.parent().map(AsRef::as_ref);
        /// The processes it descends from, and their earlier images, nearest first.
        "ancestors" [opt objects ANCESTOR] = ancestors(process);
        /// There are more ancestors than are told.
        "truncated_ancestors" [opt bool] = yes(process.ancestors().nth(MAX_ANCESTORS).is_some());
    }

    /// The process of an event.
    EVENT_PROCESS: "EventProcess" of Event = |event, scope| {
        /// The process.
        "" [flat PROCESS_CONTEXT] = &event.process;
        /// Users, groups and capabilities; for events that change them, with the new ones.
        "credentials" [object EVENT_CREDENTIALS] = event;
        /// Variables of the process.
        "variables" [opt free] = scope.variables(|variables| &variables.process);
    }

    /// Users, groups and capabilities.
    CREDENTIALS: "ProcessCredentials" of Credentials = |credentials, scope| {
        /// Real user id.
        "uid" [int] = i64::from(credentials.uid);
        /// Name of the real user.
        "user" [opt str] = text(&credentials.user);
        /// Real group id.
        "gid" [int] = i64::from(credentials.gid);
        /// Name of the real group.
        "group" [opt str] = text(&credentials.group);
        /// Effective user id.
        "euid" [int] = i64::from(credentials.euid);
        /// Name of the effective user.
        "euser" [opt str] = text(&credentials.euser);
        /// Effective group id.
        "egid" [int] = i64::from(credentials.egid);
        /// Name of the effective group.
        "egroup" [opt str] = text(&credentials.egroup);
        /// User id for file access.
        "fsuid" [int] = i64::from(credentials.fsuid);
        /// Name of the user for file access.
        "fsuser" [opt str] = text(&credentials.fsuser);
        /// Group id for file access.
        "fsgid" [int] = i64::from(credentials.fsgid);
        /// Name of the group for file access.
        "fsgroup" [opt str] = text(&credentials.fsgroup);
        /// Login user id of the audit system.
        "auid" [int] = i64::from(credentials.auid);
        /// Effective capabilities.
        "cap_effective" [strs] = capabilities(credentials.cap_effective).unwrap_or_default();
        /// Permitted capabilities.
        "cap_permitted" [strs] = capabilities(credentials.cap_permitted).unwrap_or_default();
    }

    /// Users, groups and capabilities of the process of an event.
    EVENT_CREDENTIALS: "EventCredentials" of Event = |event, scope| {
        /// Those of the process.
        "" [flat CREDENTIALS] = &event.process.credentials;
        /// The new ones, for events that change them.
        "destination" [opt object NEW_CREDENTIALS] = match &event.payload {
            Payload::Setuid(_) | Payload::Setgid(_) | Payload::Capset(_) => Some(event),
            _ => None,
        };
    }

    /// New users, groups or capabilities.
    NEW_CREDENTIALS: "NewCredentials" of Event = |event, scope| {
        /// New users.
        "" [opt flat NEW_USERS] = if let Payload::Setuid(setuid) = &event.payload { Some(setuid) } else { None };
        /// New groups.
        "" [opt flat NEW_GROUPS] = if let Payload::Setgid(setgid) = &event.payload { Some(setgid) } else { None };
        /// New capabilities.
        "" [opt flat NEW_CAPABILITIES] = if let Payload::Capset(capset) = &event.payload { Some(capset) } else { None };
    }

    /// New users.
    NEW_USERS: "SetuidCredentials" of Setuid = |setuid, scope| {
        /// Real user id.
        "uid" [int] = i64::from(setuid.uid);
        /// Name of the real user.
        "user" [opt str] = text(&setuid.user);
        /// Effective user id.
        "euid" [int] = i64::from(setuid.euid);
        /// Name of the effective user.
        "euser" [opt str] = text(&setuid.euser);
        /// User id for file access.
        "fsuid" [int] = i64::from(setuid.fsuid);
        /// Name of the user for file access.
        "fsuser" [opt str] = text(&setuid.fsuser);
    }

    /// New groups.
    NEW_GROUPS: "SetgidCredentials" of Setgid = |setgid, scope| {
        /// Real group id.
        "gid" [int] = i64::from(setgid.gid);
        /// Name of the real group.
        "group" [opt str] = text(&setgid.group);
        /// Effective group id.
        "egid" [int] = i64::from(setgid.egid);
        /// Name of the effective group.
        "egroup" [opt str] = text(&setgid.egroup);
        /// Group id for file access.
        "fsgid" [int] = i64::from(setgid.fsgid);
        /// Name of the group for file access.
        "fsgroup" [opt str] = text(&setgid.fsgroup);
    }

    /// New capabilities.
    NEW_CAPABILITIES: "CapsetCredentials" of Capset = |capset, scope| {
        /// Effective capabilities.
        "cap_effective" [strs] = capabilities(capset.cap_effective).unwrap_or_default();
        /// Permitted capabilities.
        "cap_permitted" [strs] = capabilities(capset.cap_permitted).unwrap_or_default();
    }

    /// A container.
    CONTAINER: "ContainerContext" of Container = |container, scope| {
        /// Identifier of the container.
        "id" [opt str] = text(&container.id);
        /// When it was created.
        "created_at" [time] = container.creation.get().map_or(0, |creation| creation.created_at);
    }

    /// The container of an event.
    EVENT_CONTAINER: "EventContainer" of Container = |container, scope| {
        /// The container.
        "" [flat CONTAINER] = container;
        /// Its tags, such as `image_name:nginx`, if its runtime could be asked.
        "tags" [opt strs] = container.metadata.get().and_then(|metadata| texts(&metadata.tags));
        /// Variables of the container.
        "variables" [opt free] = scope.variables(|variables| &variables.container);
    }

    /// A control group.
    CGROUP: "CGroupContext" of Cgroup = |cgroup, scope| {
        /// Path of the control group.
        "id" [opt str] = text(&cgroup.id);
        /// What manages the group.
        "manager" [opt str] = text(&cgroup.manager);
    }

    /// The control group of an event.
    EVENT_CGROUP: "EventCGroup" of Cgroup = |cgroup, scope| {
        /// The control group.
        "" [flat CGROUP] = cgroup;
        /// Variables of the control group.
        "variables" [opt free] = scope.variables(|variables| &variables.cgroup);
    }

    /// The session of a person.
    USER_SESSION: "UserSessionContext" of UserSession = |session, scope| {
        /// Identifier of the session, in hexadecimal.
        "id" [opt str] = (session.id != 0).then(|| format!("{:x}", session.id));
        /// Kind of the session.
        "session_type" [opt str] = USER_SESSION_TYPE.name(session.session_type.into()).map(str::to_owned);
        /// Kubernetes user that ran `kubectl exec`.
        "k8s_username" [opt str] = text(&session.k8s_username);
        /// Unique id of the Kubernetes user.
        "k8s_uid" [opt str] = text(&session.k8s_uid);
        /// Groups of the Kubernetes user.
        "k8s_groups" [opt strs] = texts(&session.k8s_groups);
        /// Port of the SSH client.
        "ssh_port" [opt int] = non_zero(session.ssh_port);
        /// Address of the SSH client.
        "ssh_client_ip" [opt str] = session.ssh_client_ip.map(|address| address.to_string());
        /// How the SSH client proved its identity.
        "ssh_auth_method" [opt str] = SSH_AUTH_METHOD.name(session.ssh_auth_method.into()).map(str::to_owned);
        /// Fingerprint of the public key of the SSH client.
        "ssh_public_key" [opt str] = text(&session.ssh_public_key);
    }

    /// The user of an event.
    USER: "UserContext" of Credentials = |credentials, scope| {
        /// Name of the real user.
        "id" [opt str] = text(&credentials.user);
        /// Name of the real group.
        "group" [opt str] = text(&credentials.group);
    }
}

/// An ancestor in a report.
pub(crate) struct Ancestor {
    process: Arc<Process>,
    /// Whether it runs another program than the entry before it.
    has_own_image: bool,
}

fn ancestors(process: &Process) -> Option<Vec<Ancestor>> {
    let mut image = &process.image;
    let ancestors: Vec<_> = process
        .ancestors()
        .take(MAX_ANCESTORS)
        .map(|ancestor| {
            let has_own_image = !Arc::ptr_eq(image, &ancestor.image);
            image = &ancestor.image;
            Ancestor { process: Arc::clone(ancestor), has_own_image }
        })
        .collect();
    (!ancestors.is_empty()).then_some(ancestors)
}

/// Whether an exec replaced a program that an exec of the same process had started.
fn is_exec_child(process: &Process) -> bool {
    let previous = process.ancestors().next();
    process.is_exec && previous.is_some_and(|previous| previous.is_exec && previous.is_same_process(process))
}

fn capabilities(set: u64) -> Option<Vec<String>> {
    Some(CAPABILITY.flag_names(set.cast_signed())).filter(|names| !names.is_empty())
}

fn arguments(image: &Image, scope: &Scope<'_>) -> Option<Vec<String>> {
    let arguments: Vec<_> =
        image.arguments.all().iter().skip(1).map(|argument| crate::lossy(argument).into_owned()).collect();
    (!arguments.is_empty()).then(|| scope.scrub.arguments(arguments))
}

fn environment_names(image: &Image) -> Option<Vec<String>> {
    let names: Vec<_> =
        image.envp.iter().map(|entry| crate::lossy(image.shown_envs.of(entry)).into_owned()).collect();
    (!names.is_empty()).then_some(names)
}
