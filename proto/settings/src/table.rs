//! The one table of keys.
//!
//! Keys that belong together form a group, which is a struct of typed values. A process' settings are
//! the groups that it reads ([`crate::ProbeSettings`], [`crate::AgentSettings`]); a group in both is read
//! by both. Entry of the table:
//!
//! ```text
//! /// What it does, for the documentation and for rustdoc.
//! field: Type = default, "key", since(v("7.27")), also["old.key"], env["ALIAS"], range(low => high);
//! ```
//!
//! `since` names the version of the reference that introduced the key, or `OWN` if it is ours alone; the
//! parts after it may be left out, and keep this order.
//!
//! The groups about enforcement, about the intake, about operating the agent and about secrets are in files of their own.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use crate::known::{Files, Group, Key, Since, assign};
use crate::node::Node;
use crate::value::{AddressRanges, Bytes, LogLevel, Ports, Setting};

const fn v(version: &'static str) -> Since {
    Since::Reference(version)
}

const OWN: Since = Since::Own;

macro_rules! group {
    (
        $(#[doc = $doc:literal])+
        $name:ident, $files:expr;
        $(
            $(#[doc = $field_doc:literal])+
            $field:ident: $type:ty = $default:expr, $key:literal, since($since:expr)
            $(, also[$($also:literal),+])? $(, env[$($env:literal),+])? $(, range($low:expr => $high:expr))?;
        )+
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name {
            $(
                $(#[doc = $field_doc])+
                #[doc = ""]
                #[doc = concat!("Key: `", $key, "`.")]
                pub $field: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }

        impl Group for $name {
            const TITLE: &'static str = concat!($($doc, "\n"),+);

            fn keys() -> Vec<Key> {
                let default = Self::default();
                vec![$(Key {
                    name: $key,
                    type_name: <$type as Setting>::TYPE,
                    default: default.$field.render(),
                    range: range!($type $(, $low, $high)?)
                        .map(|range: std::ops::RangeInclusive<$type>| (range.start().render(), range.end().render())),
                    since: $since,
                    also: &[$($($also),+)?],
                    environment: &[$($($env),+)?],
                    files: $files,
                    doc: concat!($($field_doc, "\n"),+),
                }),+]
            }

            #[cfg(test)]
            fn members() -> &'static [&'static str] {
                &[$(stringify!($field)),+]
            }

            fn values(&self) -> Vec<(&'static str, String)> {
                vec![$(($key, self.$field.render())),+]
            }

            fn set(&mut self, key: &str, value: &Node) -> Option<Result<(), String>> {
                match key {
                    $($key => Some(assign(&mut self.$field, value, range!($type $(, $low, $high)?))),)+
                    _ => None,
                }
            }
        }
    };
}

macro_rules! range {
    ($type:ty) => {
        None::<std::ops::RangeInclusive<$type>>
    };
    ($type:ty, $low:expr, $high:expr) => {
        Some::<std::ops::RangeInclusive<$type>>($low..=$high)
    };
}

mod enforcement;
mod intake;
mod operating;
mod secrets;

pub use enforcement::{Disarmers, Enforcement, Spared};
pub use intake::Intake;
pub use operating::{Kubernetes, Metrics, Proxies, SelfTest};
pub use secrets::SecretBackend;

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

group! {
    /// What runs at all
    Module, Files::Own;

    /// Turns the runtime security module on. Set it for both processes: in `system-probe.yaml` and in
    /// `security-agent.yaml`, or once in the environment.
    enabled: bool = false, "runtime_security_config.enabled", since(v("7.27"));

    /// Turns on only the rules about files. `runtime_security_config.enabled` includes them.
    fim_enabled: bool = false, "runtime_security_config.fim_enabled", since(v("7.27"));
}

group! {
    /// The link between the two processes
    Link, Files::Own;

    /// Unix socket on which system-probe serves events to security-agent. Both processes need the same value.
    socket: PathBuf = PathBuf::from("/opt/datadog-agent/run/runtime-security.sock"),
        "runtime_security_config.socket", since(v("7.27"));

    /// User that security-agent runs as: started as root, it becomes this user and gives up every
    /// capability before it reads the first event. system-probe lets this user and root, and nobody
    /// else, connect to the socket. A number needs no entry in `/etc/passwd`.
    user: String = String::from("dd-agent"), "security_agent.user", since(OWN);
}

group! {
    /// Log of system-probe
    ProbeLog, Files::Own;

    /// How much system-probe logs about itself: trace, debug, info, warn, error, critical or off.
    level: LogLevel = LogLevel::Info, "system_probe_config.log_level", since(v("7.27")),
        also["log_level"], env["DD_LOG_LEVEL", "LOG_LEVEL"];

    /// Logs JSON objects, one a line, in place of text.
    json: bool = false, "log_format_json", since(v("7.27"));

    /// Logs to standard error, where the service manager collects it.
    console: bool = true, "log_to_console", since(v("7.27"));

    /// Also logs to the system's log, a line a message, facility `local4`.
    syslog: bool = false, "log_to_syslog", since(v("7.27"));

    /// Unix socket of the system's log, `unix://PATH`. Empty: `/dev/log`, or `/var/run/syslog` where only that is.
    syslog_uri: String = String::new(), "syslog_uri", since(v("7.27"));

    /// File to log to. One that cannot be written is a warning, and the log then stays on standard error. Empty: none.
    file: Option<PathBuf> = Some(PathBuf::from("/var/log/datadog/system-probe.log")), "system_probe_config.log_file", since(v("7.36"));

    /// Size at which that file is renamed to `FILE.1` and a new one begun. 0: never.
    file_max_size: Bytes = Bytes::mib(10), "log_file_max_size", since(v("7.27"));

    /// Renamed log files that are kept beside the current one.
    file_max_rolls: u32 = 1, "log_file_max_rolls", since(v("7.27")), range(0 => 1_000);
}

group! {
    /// Events from the kernel
    EventStream, Files::Own;

    /// Size of the ring buffer between the kernel and system-probe, a power of two. 0: chosen from the number of processors.
    ring_buffer_size: Bytes = Bytes(0), "event_monitoring_config.event_stream.buffer_size", since(v("7.38")),
        also["runtime_security_config.event_stream.buffer_size"], range(Bytes(0) => Bytes::mib(1024));

    /// Attaches to kernel functions by fentry and LSM programs where the kernel allows it: the cheapest
    /// and most exact way. The reference has it off by default.
    use_fentry: bool = true, "event_monitoring_config.event_stream.use_fentry", since(v("7.47"));

    /// Attaches by kprobes and kretprobes where fentry cannot be used.
    use_kprobe_fallback: bool = true, "event_monitoring_config.event_stream.use_kprobe_fallback", since(v("7.64"));

    /// Calls of one function whose returns a kretprobe can wait for at one time. Returns of more are lost, and counted.
    kretprobe_max_active: u32 = 512, "event_monitoring_config.event_stream.kretprobe_max_active", since(v("7.67")),
        range(1 => 4_096);

    /// Also watches calls that 32-bit programs make of a 64-bit kernel, where the kernel offers only a hook on
    /// every system call of every program, which costs each of them some 20 ns.
    compat_syscalls: bool = false, "runtime_security_config.probe.compat_syscalls", since(OWN);

    /// File that describes the types of the running kernel (BTF), or a directory of such files: `ID/VERSION_ID/ARCHITECTURE/RELEASE.btf`
    /// as BTFHub has them, or `RELEASE.btf`. Needed where the kernel has no `/sys/kernel/btf/vmlinux`. Empty: the kernel's own.
    btf_path: Option<PathBuf> = None, "system_probe_config.btf_path", since(v("7.36"));

    /// Records that wait in system-probe for security-agent to take them. Beyond this, records are dropped and counted.
    queue_records: u32 = 65_536, "runtime_security_config.probe.queue_records", since(OWN), range(1_024 => 4_194_304);

    /// Most records in one message to security-agent.
    batch_records: u32 = 64, "runtime_security_config.probe.batch_records", since(OWN), range(1 => 4_096);

    /// Longest time that a record waits for its message to fill up.
    batch_delay: Duration = Duration::from_millis(5), "runtime_security_config.probe.batch_delay", since(OWN),
        range(Duration::ZERO => Duration::from_secs(1));
}

group! {
    /// Network
    Network, Files::Either;

    /// Watches packets: events of name services (`dns`), metadata services (`imds`) and of packets that match a filter
    /// (`packet`). Nothing is attached to an interface; the programs are attached while a rule needs them.
    enabled: bool = true, "event_monitoring_config.network.enabled", since(v("7.36")),
        also["runtime_security_config.network.enabled"];
}

group! {
    /// What is summed up
    Sums, Files::Either;

    /// Lets rules look at the capabilities that programs use (`capabilities`), which are also in `process.caps_used` and
    /// `process.caps_attempted` then. Off, such rules are skipped.
    capabilities: bool = false, "event_monitoring_config.capabilities_monitoring.enabled", since(v("7.74"));

    /// Lets rules look at the traffic of processes by flow (`network_flow_monitor`). Off, such rules are skipped.
    flows: bool = false, "event_monitoring_config.network.flow_monitor.enabled", since(v("7.63"));
}

group! {
    /// How often sums are told
    Periods, Files::Own;

    /// How often a program's capabilities are told, if it has used others since. The end of the program tells the rest.
    capabilities: Duration = Duration::from_secs(5), "event_monitoring_config.capabilities_monitoring.period",
        since(v("7.74")), range(Duration::from_millis(100) => Duration::from_secs(3600));

    /// How often the traffic since the last time is told.
    flows: Duration = Duration::from_secs(10), "event_monitoring_config.network.flow_monitor.period",
        since(v("7.63")), range(Duration::from_millis(100) => Duration::from_secs(3600));
}

group! {
    /// Which packets are watched
    Packets, Files::Own;

    /// Also watches packets that come in: answers of name and metadata services.
    ingress: bool = true, "event_monitoring_config.network.ingress.enabled", since(v("7.60"));

    /// Ports of name services, over UDP and TCP. 5353 adds multicast DNS, 5355 LLMNR.
    dns_ports: Ports = Ports(vec![53]), "runtime_security_config.network.dns_ports", since(OWN);

    /// IPv4 address of the metadata service of a cloud. The IPv6 one is `fd00:ec2::254`.
    imds_ipv4: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254), "runtime_security_config.imds_ipv4", since(v("7.60"));
}

group! {
    /// Addresses and names
    Addresses, Files::Either;

    /// Remembers which names the answers of name services gave an address, for `connect.addr.hostname` and
    /// `accept.addr.hostname`. Rules about connections then need packets of name services as well.
    names: bool = true, "event_monitoring_config.dns_resolution.enabled", since(v("7.65"));

    /// Addresses whose names are remembered at most. Beyond this, the one that was answered longest ago is forgotten.
    names_max: u32 = 1_024, "event_monitoring_config.dns_resolution.cache_size", since(v("7.65")), range(1 => 1_000_000);

    /// Addresses that are not public. Empty: those of the special-purpose registries of IANA.
    private_ranges: AddressRanges = AddressRanges(Vec::new()), "event_monitoring_config.network.private_ip_ranges",
        since(v("7.61"));

    /// Further addresses that are not public.
    extra_private_ranges: AddressRanges = AddressRanges(Vec::new()),
        "event_monitoring_config.network.extra_private_ip_ranges", since(v("7.61"));

    /// Lets rules look at any packet (`packet`). Off, such rules are skipped.
    raw_packets: bool = true, "event_monitoring_config.network.raw_packet.enabled", since(v("7.60"));
}

group! {
    /// Containers
    Containers, Files::Own;

    /// Unix sockets of Docker, or of Podman's service that speaks as Docker does, by which system-probe learns the names,
    /// images and labels of containers. Each may begin with `unix://`. Empty: the usual places, on the host and below
    /// `HOST_ROOT`. Without one, containers have ids only.
    sockets: Vec<String> = Vec::new(), "runtime_security_config.probe.container_sockets", since(OWN), env["DOCKER_HOST"];
}

group! {
    /// Privileges of security-agent
    Privileges, Files::Own;

    /// Lets security-agent keep running as root. Off, it refuses to start when it cannot become `security_agent.user`.
    allow_root: bool = false, "security_agent.allow_root", since(OWN);

    /// Unix socket on which the running security-agent answers its own command line (`status`, `runtime …`).
    command_socket: PathBuf = PathBuf::from("/opt/datadog-agent/run/security-agent.sock"),
        "security_agent.cmd_socket", since(OWN);
}

group! {
    /// Log of security-agent
    AgentLog, Files::Own;

    /// How much security-agent logs about itself: trace, debug, info, warn, error, critical or off.
    level: LogLevel = LogLevel::Info, "log_level", since(v("7.27")), env["LOG_LEVEL"];

    /// Logs JSON objects, one a line, in place of text.
    json: bool = false, "log_format_json", since(v("7.27"));

    /// Logs to standard error, where the service manager collects it.
    console: bool = true, "log_to_console", since(v("7.27"));

    /// Also logs to the system's log, a line a message, facility `local4`.
    syslog: bool = false, "log_to_syslog", since(v("7.27"));

    /// Unix socket of the system's log, `unix://PATH`. Empty: `/dev/log`, or `/var/run/syslog` where only that is.
    syslog_uri: String = String::new(), "syslog_uri", since(v("7.27"));

    /// File to log to. One that cannot be written is a warning, and the log then stays on standard error. Empty: none.
    file: Option<PathBuf> = Some(PathBuf::from("/var/log/datadog/security-agent.log")), "security_agent.log_file", since(v("7.27"));

    /// Size at which that file is renamed to `FILE.1` and a new one begun. 0: never.
    file_max_size: Bytes = Bytes::mib(10), "log_file_max_size", since(v("7.27"));

    /// Renamed log files that are kept beside the current one.
    file_max_rolls: u32 = 1, "log_file_max_rolls", since(v("7.27")), range(0 => 1_000);
}

group! {
    /// Who reports
    Host, Files::Own;

    /// Name of this host in reports. Empty: the kernel's.
    hostname: String = String::new(), "hostname", since(v("7.27"));

    /// Tags of this host, `key:value` each.
    tags: Vec<String> = Vec::new(), "tags", since(v("7.27"));

    /// Adds the tag `env:VALUE`.
    env: String = String::new(), "env", since(v("7.27"));
}

group! {
    /// Policies
    Policies, Files::Either;

    /// Directory of the policy files, `*.policy`.
    dir: PathBuf = PathBuf::from("/etc/datadog-agent/runtime-security.d"),
        "runtime_security_config.policies.dir", since(v("7.27"));

    /// Reloads the policies when a file of the directory changes. The reference has it off by default; SIGHUP
    /// reloads in any case.
    watch_dir: bool = true, "runtime_security_config.policies.watch_dir", since(v("7.38"));
}

group! {
    /// Filtering in the kernel
    KernelFilters, Files::Either;

    /// Lets the kernel drop events of files that no loaded rule can match.
    enabled: bool = true, "event_monitoring_config.enable_kernel_filters", since(v("7.45")),
        also["runtime_security_config.enable_kernel_filters"];

    /// Whether the values that rules want (names, paths, flags, login users) are what is let through. The only kind of
    /// filter there is: what the reference learns from events that no rule matched (discarders) is not needed
    /// beside it. So off is the same as `enable_kernel_filters` off.
    approvers: bool = true, "event_monitoring_config.enable_approvers", since(v("7.45")),
        also["runtime_security_config.enable_approvers"];
}

group! {
    /// Memory of processes
    ProcessTree, Files::Either;

    /// Processes that are remembered after they end, so that their children keep a full ancestry.
    exited: u32 = 10_000, "event_monitoring_config.pid_cache_size", since(v("7.27")),
        also["runtime_security_config.pid_cache_size"], range(0 => 1_000_000);

    /// Most processes that are remembered in all. Beyond this, the oldest is forgotten and counted.
    max_processes: u32 = 131_072, "runtime_security_config.process_tree.max_processes", since(OWN),
        range(1_024 => 4_194_304);

    /// Most memory for arguments and environment variables of all processes together. Beyond this, those
    /// of the oldest processes are forgotten first.
    max_arguments_size: Bytes = Bytes::mib(16), "runtime_security_config.process_tree.max_arguments_size", since(OWN),
        range(Bytes::kib(64) => Bytes::mib(4096));

    /// Most ancestors that a rule looks at and a signal shows.
    max_ancestors: u32 = 128, "runtime_security_config.process_tree.max_ancestors", since(OWN), range(1 => 1_024);
}

group! {
    /// Content and rate of signals
    Signals, Files::Either;

    /// Words, beside the built-in ones, whose values are blotted out in the command lines that signals show.
    sensitive_words: Vec<String> = Vec::new(), "event_monitoring_config.custom_sensitive_words", since(v("7.27")),
        also["runtime_security_config.custom_sensitive_words"];

    /// Environment variables that signals show with their value. Of all others, only the name is shown.
    envs_with_value: Vec<String> = strings(&["LD_PRELOAD", "LD_LIBRARY_PATH", "PATH", "HISTSIZE", "HISTFILESIZE", "GLIBC_TUNABLES", "SSH_CLIENT"]),
        "event_monitoring_config.envs_with_value", since(v("7.39")), also["runtime_security_config.envs_with_value"];

    /// Signals a second that a rule may send in the long run, unless it sets `every`.
    rate: u32 = 10, "runtime_security_config.event_server.rate", since(v("7.27")), range(1 => 1_000_000);

    /// Signals that a rule may send at once before `rate` applies.
    burst: u32 = 40, "runtime_security_config.event_server.burst", since(v("7.27")),
        also["event_monitoring_config.event_server.burst"], range(1 => 1_000_000);

    /// Longest time that events of a container wait for its name and image. They only wait while the container runtime is
    /// being asked, which takes milliseconds; 0: never.
    retention: Duration = Duration::from_secs(6), "runtime_security_config.event_server.retention", since(v("7.28")),
        range(Duration::ZERO => Duration::from_secs(60));

    /// Sends events about the agent itself: `ruleset_loaded`, `lost_events`, `heartbeat`, `self_test`.
    monitoring_events: bool = true, "runtime_security_config.agent_monitoring_events", since(v("7.27"));

    /// How often losses and other counters are looked at, and reported if they grew.
    stats_interval: Duration = Duration::from_secs(20), "event_monitoring_config.events_stats.polling_interval", since(v("7.27")),
        also["runtime_security_config.events_stats.polling_interval"],
        range(Duration::from_secs(1) => Duration::from_secs(3600));
}

group! {
    /// Where signals go
    Outputs, Files::Own;

    /// Writes each signal to standard output: a JSON object a line, or a short coloured line if it is a terminal.
    stdout: bool = false, "runtime_security_config.outputs.stdout.enabled", since(OWN);

    /// File to which each signal is appended as a JSON object a line. Empty: none.
    file: Option<PathBuf> = None, "runtime_security_config.outputs.file.path", since(OWN);

    /// Size at which that file is renamed to `FILE.1` and a new one begun. 0: never.
    file_max_size: Bytes = Bytes::mib(10), "runtime_security_config.outputs.file.max_size", since(OWN);

    /// Renamed files that are kept beside the current one.
    file_max_files: u32 = 5, "runtime_security_config.outputs.file.max_files", since(OWN), range(0 => 1_000);

    /// Syslog server to which each signal is sent (RFC 5424, facility `authpriv`): `unix:///dev/log`,
    /// `udp://HOST:PORT` or `tcp://HOST:PORT`. Empty: none.
    syslog: String = String::new(), "runtime_security_config.outputs.syslog.address", since(OWN);
}
