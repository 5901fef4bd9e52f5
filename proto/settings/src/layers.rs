//! Files and environment, one over the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use suggest::nearest;

use crate::diagnostics::{ConfigError, ConfigErrors, Location, Severity, Warning};
use crate::environment::Environment;
use crate::flatten::{Entry, entries};
use crate::known::{Files, Meaning, Process, Vocabulary, variable};
use crate::node::{Kind, Node};
use crate::secrets::Handles;
use crate::yaml;

/// Largest configuration file, in bytes. The documented example of the whole reference has about 200 KiB.
const MAX_FILE_SIZE: u64 = 1 << 20;

/// Most unknown names that are looked up among the known ones or listed: the rest is counted. Keeps a file
/// that is not ours, given by mistake, from filling the log.
const MAX_UNKNOWN: usize = 50;

/// Sections of which every key is known, so that an unknown one is a mistake. All else in a
/// `datadog.yaml` may belong to another product.
const OUR_SECTIONS: [&str; 3] = ["runtime_security_config", "event_monitoring_config", "security_agent"];

/// Settings with all that is to be known about how they came to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded<T> {
    /// The settings.
    pub value: T,
    /// What is worth a line in the log.
    pub warnings: Vec<Warning>,
    /// The files, in the order they were applied.
    pub sources: Vec<Source>,
    /// Where each key that is not at its default was set, by its documented name.
    pub origins: BTreeMap<&'static str, Location>,
    /// The keys whose values are kept elsewhere.
    pub handles: Handles,
}

/// One file that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Whether it was there and could be read.
    pub read: bool,
}

/// What it means that a file is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Defaults apply; say so.
    Warned,
    /// An error if it holds for all of the files.
    OneNeeded,
    /// Nothing.
    Silent,
}

/// Which keys of a file count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Take {
    /// Those that this process reads.
    All,
    /// Only those that it takes from either process' files.
    Either,
}

/// Applies one layer after the other, collecting all that is wrong.
pub(crate) struct Layers<T> {
    vocabulary: Vocabulary,
    value: T,
    warnings: Vec<Warning>,
    errors: Vec<ConfigError>,
    sources: Vec<Source>,
    origins: BTreeMap<&'static str, Location>,
    handles: Handles,
    /// Files of which at least one has to be there.
    required: Vec<PathBuf>,
    /// Unknown names so far.
    unknown: usize,
    /// Features whose keys were mentioned: one line each, not one per key.
    planned: BTreeSet<&'static str>,
}

impl<T: Process> Layers<T> {
    /// Defaults only.
    pub(crate) fn new() -> Self {
        Self {
            vocabulary: Vocabulary::of::<T>(),
            value: T::default(),
            warnings: Vec::new(),
            errors: Vec::new(),
            sources: Vec::new(),
            origins: BTreeMap::new(),
            handles: Handles::default(),
            required: Vec::new(),
            unknown: 0,
            planned: BTreeSet::new(),
        }
    }

    /// Applies a file of this process.
    pub(crate) fn file(&mut self, path: &Path, missing: Missing) {
        if missing == Missing::OneNeeded {
            self.required.push(path.to_owned());
        }
        self.read_file(path, missing, Take::All);
    }

    /// Applies a file of system-probe to another process.
    pub(crate) fn file_of_the_probe(&mut self, path: &Path) {
        self.read_file(path, Missing::Silent, Take::Either);
    }

    /// Applies the environment.
    pub(crate) fn environment(&mut self, environment: &Environment) {
        let mut variables = BTreeSet::new();
        for key in T::keys() {
            let names = key.variables();
            if let Some((name, text)) = names.iter().find_map(|name| Some((name, environment.get(name)?))) {
                let location = Location::Environment(name.clone());
                self.set(key.name, location, &Node::from_environment(text));
            }
            variables.extend(names);
        }
        let planned: Vec<(String, String, &'static str)> = self
            .vocabulary
            .iter()
            .filter_map(|(name, meaning)| match meaning {
                Meaning::Planned { feature } => Some((variable(name), name.to_owned(), *feature)),
                Meaning::Mine { .. } | Meaning::Other { .. } => None,
            })
            .filter(|(variable, ..)| environment.get(variable).is_some())
            .collect();
        for (variable, name, feature) in planned {
            self.mention_planned(Location::Environment(variable), &name, feature);
        }
        let known: BTreeSet<String> = self.vocabulary.iter().map(|(name, _)| variable(name)).collect();
        let prefixes = OUR_SECTIONS.map(|section| format!("{}_", variable(section)));
        for name in environment.names().filter(|name| prefixes.iter().any(|prefix| name.starts_with(prefix)))
        {
            if !variables.contains(name) && !known.contains(name) && self.admit_unknown() {
                let suggestion = did_you_mean(nearest(name, known.iter().map(String::as_str)));
                let location = Location::Environment(name.to_owned());
                self.warn(location, format!("no such key{suggestion}"));
            }
        }
    }

    /// The settings, or all that is wrong.
    pub(crate) fn finish(mut self) -> Result<Loaded<T>, ConfigErrors> {
        let read = |path: &PathBuf| self.sources.iter().any(|source| source.read && source.path == *path);
        // A file that is there but unreadable or malformed has an error of its own.
        if !self.required.is_empty() && !self.required.iter().any(read) && self.errors.is_empty() {
            self.errors.push(ConfigError::NoFile { tried: self.required });
        }
        if !self.errors.is_empty() {
            return Err(ConfigErrors(self.errors));
        }
        let Self { value, warnings, sources, origins, handles, .. } = self;
        Ok(Loaded { value, warnings, sources, origins, handles })
    }

    fn read_file(&mut self, path: &Path, missing: Missing, take: Take) {
        let text = match read_limited(path) {
            Ok(text) => text,
            Err(Failure::Missing) => {
                if missing == Missing::Warned {
                    let location = Location::WholeFile(path.to_owned());
                    self.warn(location, "not there: defaults and environment apply".to_owned());
                }
                return self.sources.push(Source { path: path.to_owned(), read: false });
            }
            Err(Failure::Forbidden) if missing == Missing::Silent => {
                self.info(
                    Location::WholeFile(path.to_owned()),
                    "not readable by this user, left out".to_owned(),
                );
                return self.sources.push(Source { path: path.to_owned(), read: false });
            }
            Err(failure) => {
                let location = Location::WholeFile(path.to_owned());
                self.errors.push(ConfigError::Unreadable { location, reason: failure.to_string() });
                return self.sources.push(Source { path: path.to_owned(), read: false });
            }
        };
        self.sources.push(Source { path: path.to_owned(), read: true });
        let is_value = |name: &str| self.vocabulary.get(name).is_some() && !self.vocabulary.is_section(name);
        let list =
            yaml::parse(&text).map_err(|error| vec![error]).and_then(|document| entries(document, &is_value));
        match list {
            Ok(list) => self.apply(path, list, take),
            Err(errors) => self.errors.extend(errors.into_iter().map(|error| ConfigError::Malformed {
                location: Location::at(path, error.position),
                message: error.message,
            })),
        }
    }

    fn apply(&mut self, path: &Path, list: Vec<Entry>, take: Take) {
        let mut foreign = BTreeSet::new();
        let mut lines: BTreeMap<&'static str, (usize, Node)> = BTreeMap::new();
        for entry in list {
            let location = Location::at(path, entry.position);
            match self.vocabulary.get(&entry.key).cloned() {
                Some(Meaning::Mine { files: Files::Own, .. }) if take == Take::Either => {}
                // Nothing after the colon is what remains of a section whose lines are all comments.
                Some(Meaning::Mine { .. }) if entry.value.kind == Kind::Null => {}
                Some(Meaning::Mine { key, .. }) => {
                    let at = Location::at(path, entry.value.position);
                    if let Some((line, earlier)) = lines.get(key)
                        && earlier.kind != entry.value.kind
                    {
                        self.warn(
                            location,
                            format!("{key} is also set in line {line}; the later one counts"),
                        );
                    }
                    self.set(key, at, &entry.value);
                    lines.insert(key, (entry.position.line, entry.value));
                }
                _ if take == Take::Either => {}
                Some(Meaning::Other { process, files: Files::Own }) => {
                    let message = format!("{} is read by {process} only, from its own file", entry.key);
                    self.warn(location, message);
                }
                Some(Meaning::Other { files: Files::Either, .. }) => {}
                Some(Meaning::Planned { feature }) => {
                    self.mention_planned(location, &entry.key, feature);
                }
                None => self.unknown(location, &entry, &mut foreign),
            }
        }
        if !foreign.is_empty() {
            let names = foreign.into_iter().collect::<Vec<_>>().join(", ");
            self.info(Location::WholeFile(path.to_owned()), format!("left to other products: {names}"));
        }
        if let Some(more @ 1..) = self.unknown.checked_sub(MAX_UNKNOWN) {
            self.warn(Location::WholeFile(path.to_owned()), format!("{more} more unknown keys"));
        }
    }

    fn unknown(&mut self, location: Location, entry: &Entry, foreign: &mut BTreeSet<String>) {
        if self.vocabulary.is_section(&entry.key) {
            if entry.value.kind != Kind::Null {
                self.errors.push(ConfigError::WrongType {
                    location,
                    key: entry.key.clone(),
                    expected: "keys below it".to_owned(),
                    found: entry.value.to_string(),
                });
            }
            return;
        }
        if !self.admit_unknown() {
            return;
        }
        let section = entry.key.split('.').next().unwrap_or_default();
        let ours = OUR_SECTIONS.contains(&section);
        // A key of another product may resemble one that we only know of, but hardly one that we read.
        let candidates = self
            .vocabulary
            .iter()
            .filter(|(_, meaning)| ours || matches!(meaning, Meaning::Mine { .. }))
            .map(|(name, _)| name);
        let suggestion = nearest(&entry.key, candidates);
        if ours || suggestion.is_some() {
            let shown: String = entry.key.chars().take(100).collect();
            self.warn(location, format!("no such key: {shown}{}", did_you_mean(suggestion)));
        } else {
            foreign.insert(section.chars().take(100).collect());
        }
    }

    /// Counts one more unknown name. False: too many to say anything about it.
    fn admit_unknown(&mut self) -> bool {
        self.unknown += 1;
        self.unknown <= MAX_UNKNOWN
    }

    fn set(&mut self, key: &'static str, location: Location, value: &Node) {
        if self.handles.note(key, &location, value) {
            if key.starts_with("secret_backend_") {
                let reason = "is needed to have secrets, and cannot be one itself".to_owned();
                self.errors.push(ConfigError::Secret { location, key: key.to_owned(), reason });
            } else {
                self.origins.insert(key, location);
            }
            return;
        }
        match self.value.set(key, value) {
            Some(Ok(())) => {
                self.origins.insert(key, location);
            }
            Some(Err(expected)) => {
                let (key, found) = (key.to_owned(), value.to_string());
                self.errors.push(ConfigError::WrongType { location, key, expected, found });
            }
            // `key` comes from the table, which `set` is generated from.
            None => {}
        }
    }

    fn mention_planned(&mut self, location: Location, key: &str, feature: &'static str) {
        if self.planned.insert(feature) {
            self.info(location, format!("{key} has no effect here ({feature})"));
        }
    }

    fn warn(&mut self, location: Location, message: String) {
        self.warnings.push(Warning { severity: Severity::Warning, location, message });
    }

    fn info(&mut self, location: Location, message: String) {
        self.warnings.push(Warning { severity: Severity::Info, location, message });
    }
}

fn did_you_mean(suggestion: Option<String>) -> String {
    suggestion.map(|name| format!(" (did you mean {name}?)")).unwrap_or_default()
}

/// Why a file has no text.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no such file")]
    Missing,
    #[error("permission denied")]
    Forbidden,
    #[error("larger than {MAX_FILE_SIZE} bytes")]
    TooLarge,
    #[error("not UTF-8 text")]
    NotText,
    #[error(transparent)]
    Io(std::io::Error),
}

fn read_limited(path: &Path) -> Result<String, Failure> {
    let classify = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => Failure::Missing,
        ErrorKind::PermissionDenied => Failure::Forbidden,
        _ => Failure::Io(error),
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(classify)?;
    file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes).map_err(classify)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_SIZE) {
        return Err(Failure::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| Failure::NotText)
}

#[cfg(test)]
mod tests;
