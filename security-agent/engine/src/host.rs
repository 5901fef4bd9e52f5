//! Facts about the host, which the `filters` of rules and macros choose by.

use std::net::IpAddr;

use secl::schema::weight;
use secl::{Event, EventTypeId, Field, FieldId, IteratorId, Kind, Matching, Schema, Value};

/// What `filters` may ask about the host. Unknown facts are empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// `os`: always `linux` outside of tests.
    pub os: String,
    /// `os.id` and `os.platform_id`: `ID` of the os-release file, such as `debian`.
    pub os_id: String,
    /// `os.version_id`: `VERSION_ID` of the os-release file, such as `12`.
    pub os_version_id: String,
    /// `kernel.version.*`.
    pub kernel: KernelVersion,
    /// `kernel.core.enabled`: whether the kernel describes its types (BTF).
    pub kernel_core_enabled: bool,
    /// `envs`: the agent's environment as `NAME=value`.
    pub envs: Vec<String>,
    /// `hostname`.
    pub hostname: String,
    /// `origin`: where events come from, `ebpf`.
    pub origin: String,
}

/// A kernel release, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KernelVersion {
    /// `6` of `6.1.0-18-amd64`.
    pub major: u32,
    /// `1` of `6.1.0-18-amd64`.
    pub minor: u32,
    /// `0` of `6.1.0-18-amd64`.
    pub patch: u32,
    /// `18` of `6.1.0-18-amd64`.
    pub abi: String,
    /// `amd64` of `6.1.0-18-amd64`.
    pub flavor: String,
}

impl Default for HostFacts {
    fn default() -> Self {
        HostFacts {
            os: "linux".to_owned(),
            os_id: String::new(),
            os_version_id: String::new(),
            kernel: KernelVersion::default(),
            kernel_core_enabled: false,
            envs: Vec::new(),
            hostname: String::new(),
            origin: "ebpf".to_owned(),
        }
    }
}

impl KernelVersion {
    /// Takes the release that `uname` gives apart. Parts that are missing are zero.
    pub fn parse(release: &str) -> Self {
        let mut parts = release.splitn(3, '-');
        let numbers = parts.next().unwrap_or("");
        let number = |text: &str| {
            let digits = text.find(|c: char| !c.is_ascii_digit()).map_or(text, |end| &text[..end]);
            digits.parse().unwrap_or(0)
        };
        let mut numbers = numbers.split('.').map(number);
        let mut next = || numbers.next().unwrap_or(0);
        KernelVersion {
            major: next(),
            minor: next(),
            patch: next(),
            abi: parts.next().unwrap_or("").to_owned(),
            flavor: parts.next().unwrap_or("").to_owned(),
        }
    }
}

impl HostFacts {
    /// Reads `ID` and `VERSION_ID` from the text of an os-release file.
    pub fn with_os_release(mut self, text: &str) -> Self {
        for line in text.lines() {
            let Some((key, value)) = line.trim().split_once('=') else { continue };
            let value = value.trim().trim_matches(['"', '\'']);
            match key {
                "ID" => value.clone_into(&mut self.os_id),
                "VERSION_ID" => value.clone_into(&mut self.os_version_id),
                _ => {}
            }
        }
        self
    }

    fn is(&self, ids: &[&str]) -> bool {
        ids.contains(&self.os_id.as_str())
    }

    fn is_version(&self, ids: &[&str], major: &str) -> bool {
        self.is(ids) && self.os_version_id.split('.').next() == Some(major)
    }
}

/// How a fact is read.
enum Read {
    Text(fn(&HostFacts) -> &str),
    Texts(fn(&HostFacts) -> &[String]),
    Int(fn(&HostFacts) -> i64),
    Bool(fn(&HostFacts) -> bool),
}

/// Distributions that are Red Hat Enterprise Linux or rebuilds of it.
const RHEL: &[&str] = &["rhel", "centos", "rocky", "almalinux"];
/// SUSE's enterprise distribution.
const SLES: &[&str] = &["sles", "sled", "sle_hpc", "sles_sap"];

/// Every fact with its name in filters. The position is the field's id.
const FACTS: &[(&str, Read)] = &[
    ("os", Read::Text(|host| &host.os)),
    ("os.id", Read::Text(|host| &host.os_id)),
    ("os.platform_id", Read::Text(|host| &host.os_id)),
    ("os.version_id", Read::Text(|host| &host.os_version_id)),
    ("os.is_amazon_linux", Read::Bool(|host| host.is(&["amzn"]))),
    ("os.is_cos", Read::Bool(|host| host.is(&["cos"]))),
    ("os.is_debian", Read::Bool(|host| host.is(&["debian"]))),
    ("os.is_oracle", Read::Bool(|host| host.is(&["ol"]))),
    ("os.is_rhel", Read::Bool(|host| host.is(RHEL))),
    ("os.is_rhel7", Read::Bool(|host| host.is_version(RHEL, "7"))),
    ("os.is_rhel8", Read::Bool(|host| host.is_version(RHEL, "8"))),
    ("os.is_sles", Read::Bool(|host| host.is(SLES))),
    ("os.is_sles12", Read::Bool(|host| host.is_version(SLES, "12"))),
    ("os.is_sles15", Read::Bool(|host| host.is_version(SLES, "15"))),
    ("kernel.version.major", Read::Int(|host| host.kernel.major.into())),
    ("kernel.version.minor", Read::Int(|host| host.kernel.minor.into())),
    ("kernel.version.patch", Read::Int(|host| host.kernel.patch.into())),
    ("kernel.version.abi", Read::Int(|host| host.kernel.abi.parse().unwrap_or(0))),
    ("kernel.version.flavor", Read::Text(|host| &host.kernel.flavor)),
    ("kernel.core.enabled", Read::Bool(|host| host.kernel_core_enabled)),
    ("envs", Read::Texts(|host| &host.envs)),
    ("hostname", Read::Text(|host| &host.hostname)),
    ("origin", Read::Text(|host| &host.origin)),
];

/// The type of "events" that filters are about.
pub(crate) const HOST_EVENT: EventTypeId = EventTypeId(0);

/// The names that filters may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostSchema;

impl Schema for HostSchema {
    fn field(&self, name: &str) -> Option<Field> {
        let index = FACTS.iter().position(|(fact, _)| *fact == name)?;
        let (_, read) = FACTS.get(index)?;
        let (kind, list) = match read {
            Read::Text(_) => (Kind::Str, false),
            Read::Texts(_) => (Kind::Str, true),
            Read::Int(_) => (Kind::Int, false),
            Read::Bool(_) => (Kind::Bool, false),
        };
        Some(Field {
            id: FieldId(u16::try_from(index).ok()?),
            kind,
            list,
            iterator: None,
            event: Some(HOST_EVENT),
            matching: Matching::Plain,
            alternatives: false,
            weight: weight::PLAIN,
            max_literal: None,
        })
    }

    fn iterator(&self, _: &str) -> Option<IteratorId> {
        None
    }

    fn constant(&self, _: &str) -> Option<Value> {
        None
    }

    fn event_type(&self, _: &str) -> Option<EventTypeId> {
        None
    }

    fn event_type_name(&self, _: EventTypeId) -> &str {
        "host"
    }

    fn each_name(&self, visit: &mut dyn FnMut(&str)) {
        for (name, _) in FACTS {
            visit(name);
        }
    }
}

/// The facts of a host as an event that a filter is evaluated on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostEvent<'h>(pub(crate) &'h HostFacts);

impl HostEvent<'_> {
    fn read(&self, field: FieldId) -> Option<&'static Read> {
        FACTS.get(usize::from(field.0)).map(|(_, read)| read)
    }
}

impl Event for HostEvent<'_> {
    fn event_type(&self) -> EventTypeId {
        HOST_EVENT
    }

    fn now(&self) -> i64 {
        0
    }

    fn int(&self, field: FieldId) -> i64 {
        match self.read(field) {
            Some(Read::Int(read)) => read(self.0),
            _ => 0,
        }
    }

    fn bool(&self, field: FieldId) -> bool {
        matches!(self.read(field), Some(Read::Bool(read)) if read(self.0))
    }

    fn str(&self, field: FieldId) -> &[u8] {
        match self.read(field) {
            Some(Read::Text(read)) => read(self.0).as_bytes(),
            _ => b"",
        }
    }

    fn ip(&self, _: FieldId) -> Option<IpAddr> {
        None
    }

    fn len(&self, _: IteratorId) -> usize {
        0
    }

    fn any_int(&self, _: FieldId, _: Option<usize>, _: impl FnMut(i64) -> bool) -> bool {
        false
    }

    fn any_bool(&self, _: FieldId, _: Option<usize>, _: impl FnMut(bool) -> bool) -> bool {
        false
    }

    fn any_str(&self, field: FieldId, _: Option<usize>, mut test: impl FnMut(&[u8]) -> bool) -> bool {
        match self.read(field) {
            Some(Read::Texts(read)) => read(self.0).iter().any(|text| test(text.as_bytes())),
            _ => false,
        }
    }

    fn any_ip(&self, _: FieldId, _: Option<usize>, _: impl FnMut(IpAddr) -> bool) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{HostFacts, KernelVersion};

    #[test]
    fn kernel_releases_are_taken_apart() {
        let parse = |release| {
            let version = KernelVersion::parse(release);
            (version.major, version.minor, version.patch, version.abi, version.flavor)
        };
        assert_eq!(parse("6.1.0-18-amd64"), (6, 1, 0, "18".into(), "amd64".into()));
        assert_eq!(
            parse("5.10.102.1-microsoft-standard-WSL2"),
            (5, 10, 102, "microsoft".into(), "standard-WSL2".into())
        );
        assert_eq!(parse("5.15"), (5, 15, 0, String::new(), String::new()));
        assert_eq!(parse(""), (0, 0, 0, String::new(), String::new()));
        assert_eq!(parse("6.18.5+"), (6, 18, 5, String::new(), String::new()));
    }

    #[test]
    fn the_os_release_file_tells_the_distribution() {
        let host = HostFacts::default()
            .with_os_release("ID=\"rocky\"\nVERSION_ID=\"8.9\"\nID_LIKE=\"rhel fedora\"\n# x\n");
        assert_eq!((host.os_id.as_str(), host.os_version_id.as_str()), ("rocky", "8.9"));
        assert!(host.is_version(super::RHEL, "8") && !host.is_version(super::RHEL, "7"));
    }
}
