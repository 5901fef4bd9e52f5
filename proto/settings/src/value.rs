//! The types that a key can have, and how each is read from text and written as YAML.

mod network;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::node::{Kind, Node};
use crate::yaml;

pub use network::{AddressRanges, Ports};

/// A type of value. Scalars are read leniently, as the reference does: `"true"`, `yes` and `1` are all true.
pub(crate) trait Setting: Sized + PartialOrd {
    /// Name of the type in the documentation.
    const TYPE: &'static str;
    /// What a diagnostic says was expected.
    const EXPECTED: &'static str;

    /// Reads a value that is not null. `None`: not of this type.
    fn read(node: &Node) -> Option<Self>;

    /// The value as a line of YAML, which [`Setting::read`] reads back.
    fn render(&self) -> String;
}

impl Setting for bool {
    const TYPE: &'static str = "boolean";
    const EXPECTED: &'static str = "true or false";

    fn read(node: &Node) -> Option<Self> {
        match node.text()?.trim().to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
            "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    fn render(&self) -> String {
        self.to_string()
    }
}

impl Setting for u32 {
    const TYPE: &'static str = "integer";
    const EXPECTED: &'static str = "a whole number";

    fn read(node: &Node) -> Option<Self> {
        node.text()?.trim().parse().ok()
    }

    fn render(&self) -> String {
        self.to_string()
    }
}

impl Setting for String {
    const TYPE: &'static str = "string";
    const EXPECTED: &'static str = "a string";

    fn read(node: &Node) -> Option<Self> {
        node.text().map(str::to_owned)
    }

    fn render(&self) -> String {
        quote(self)
    }
}

impl Setting for PathBuf {
    const TYPE: &'static str = "path";
    const EXPECTED: &'static str = "an absolute path";

    fn read(node: &Node) -> Option<Self> {
        // A relative path would depend on where the service happens to be started.
        Some(Self::from(node.text()?)).filter(|path| path.is_absolute())
    }

    fn render(&self) -> String {
        self.display().to_string()
    }
}

/// A path that may be left out, written as the empty string.
impl Setting for Option<PathBuf> {
    const TYPE: &'static str = "path";
    const EXPECTED: &'static str = "an absolute path, or an empty string for none";

    fn read(node: &Node) -> Option<Self> {
        match node.text()? {
            "" => Some(None),
            _ => PathBuf::read(node).map(Some),
        }
    }

    fn render(&self) -> String {
        self.as_ref().map_or_else(|| quote(""), Setting::render)
    }
}

impl Setting for Vec<String> {
    const TYPE: &'static str = "list of strings";
    const EXPECTED: &'static str = "a list of strings";

    /// A YAML sequence; or one text, as in the environment: JSON, or items separated by spaces or commas.
    fn read(node: &Node) -> Option<Self> {
        match &node.kind {
            Kind::Sequence(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
            Kind::Scalar(text) if text.trim_start().starts_with('[') => match yaml::parse(text).ok()?.kind {
                Kind::Sequence(items) => items.iter().map(|item| item.text().map(str::to_owned)).collect(),
                _ => None,
            },
            Kind::Scalar(text) => Some(
                text.split(|c: char| c == ',' || c.is_whitespace())
                    .filter(|item| !item.is_empty())
                    .map(str::to_owned)
                    .collect(),
            ),
            Kind::Null | Kind::Mapping(_) => None,
        }
    }

    fn render(&self) -> String {
        format!("[{}]", self.iter().map(|item| quote(item)).collect::<Vec<_>>().join(", "))
    }
}

impl Setting for Duration {
    const TYPE: &'static str = "duration";
    const EXPECTED: &'static str = "a duration such as `10s`, `1m30s` or `500ms`, or a number of seconds";

    fn read(node: &Node) -> Option<Self> {
        parse_duration(node.text()?.trim())
    }

    fn render(&self) -> String {
        let millis = self.as_millis();
        match millis {
            0 => "0s".to_owned(),
            _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
            _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
            _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
            _ => format!("{millis}ms"),
        }
    }
}

/// Go's notation of durations, whose units may be combined (`1h30m`); a bare number is in seconds.
fn parse_duration(text: &str) -> Option<Duration> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    if !text.is_empty() && text.chars().all(is_number) {
        return multiple(text, Duration::from_secs(1));
    }
    let mut total = None;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = rest.split_at(rest.find(|c| !is_number(c))?);
        let (unit, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let unit = match unit {
            "ns" => Duration::from_nanos(1),
            "us" | "µs" => Duration::from_micros(1),
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            _ => return None,
        };
        total = Some(total.unwrap_or(Duration::ZERO).checked_add(multiple(number, unit)?)?);
        rest = after;
    }
    total
}

/// `number`, with or without decimals, times `unit`, exactly; what is below a nanosecond is cut off.
fn multiple(number: &str, unit: Duration) -> Option<Duration> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let unit_ns = u64::try_from(unit.as_nanos()).ok()?;
    let whole: u64 = if whole.is_empty() && !decimals.is_empty() { 0 } else { whole.parse().ok()? };
    let mut total = Duration::from_nanos(whole.checked_mul(unit_ns)?);
    let mut place_ns = unit_ns;
    for digit in decimals.chars() {
        place_ns /= 10;
        total = total.checked_add(Duration::from_nanos(u64::from(digit.to_digit(10)?) * place_ns))?;
    }
    Some(total)
}

/// An amount of memory or disk space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(
    /// Number of bytes.
    pub u64,
);

impl Bytes {
    /// `count` KiB.
    #[must_use]
    pub const fn kib(count: u64) -> Self {
        Self(count << 10)
    }

    /// `count` MiB.
    #[must_use]
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }
}

impl Setting for Bytes {
    const TYPE: &'static str = "size";
    const EXPECTED: &'static str = "a size such as `512KiB` or `10MiB`, or a number of bytes";

    /// `KB` and `KiB` are both 1024 bytes, and so on: the reference reads `10Mb` so.
    fn read(node: &Node) -> Option<Self> {
        let text = node.text()?.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let shift = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 10,
            "m" | "mb" | "mib" => 20,
            "g" | "gb" | "gib" => 30,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(1 << shift).map(Self)
    }

    fn render(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => write!(out, "0"),
            bytes if bytes.is_multiple_of(1 << 30) => write!(out, "{}GiB", bytes >> 30),
            bytes if bytes.is_multiple_of(1 << 20) => write!(out, "{}MiB", bytes >> 20),
            bytes if bytes.is_multiple_of(1 << 10) => write!(out, "{}KiB", bytes >> 10),
            bytes => write!(out, "{bytes}"),
        }
    }
}

/// How much a process logs about itself. Each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Only what ends the process.
    Critical,
    /// What failed.
    Error,
    /// What will probably fail.
    Warn,
    /// What an administrator wants to know.
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Off, "off"),
        (Self::Critical, "critical"),
        (Self::Error, "error"),
        (Self::Warn, "warn"),
        (Self::Info, "info"),
        (Self::Debug, "debug"),
        (Self::Trace, "trace"),
    ];

    /// The name in configuration files. `critical` is not a level of `tracing`: see [`LogLevel::directive`].
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(level, _)| *level == self).map_or("info", |(_, name)| name)
    }

    /// The level of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let word = name.trim().to_ascii_lowercase();
        // `warning` is what the reference's documentation also says.
        let word = if word == "warning" { "warn" } else { word.as_str() };
        Self::NAMES.iter().find(|(_, name)| *name == word).map(|(level, _)| *level)
    }

    /// The filter directive of `tracing-subscriber` for this level.
    #[must_use]
    pub fn directive(self) -> &'static str {
        match self {
            Self::Critical => Self::Error.name(),
            level => level.name(),
        }
    }
}

impl Setting for LogLevel {
    const TYPE: &'static str = "log level";
    const EXPECTED: &'static str = "one of trace, debug, info, warn, error, critical, off";

    fn read(node: &Node) -> Option<Self> {
        Self::of_name(node.text()?)
    }

    fn render(&self) -> String {
        self.name().to_owned()
    }
}

/// `text` as a double-quoted YAML scalar, unless it is plain beyond doubt.
pub(crate) fn quote(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests;
