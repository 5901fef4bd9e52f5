//! Values that are kept elsewhere: a configuration that says `ENC[handle]` gets the text that an external program, which the
//! administrator names, gives for that handle.
//!
//! Loading only notes them, as a command that merely looks at the configuration has no business with secrets. A process that
//! is about to run asks for them once: see [`crate::agent::resolve`] and [`crate::probe::resolve`].

mod backend;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostics::{ConfigError, ConfigErrors, Location};
use crate::known::Process;
use crate::layers::Loaded;
use crate::node::{Kind, Node};
use crate::secret::BLOT;
use crate::table::SecretBackend;
use crate::value::quote;

/// What a handle stands for, or why it can't be had.
type Answers = BTreeMap<String, Result<String, String>>;

/// The keys whose values are, or were, handles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Handles {
    pending: BTreeMap<&'static str, (Location, Node)>,
    resolved: BTreeSet<&'static str>,
}

impl Handles {
    /// Notes the value of a key if it has handles in it. What was noted of weaker layers is forgotten in any case.
    pub(crate) fn note(&mut self, key: &'static str, location: &Location, value: &Node) -> bool {
        self.pending.remove(key);
        let has_some = !value.handles().is_empty();
        if has_some {
            self.pending.insert(key, (location.clone(), value.clone()));
        }
        has_some
    }

    /// What is shown in the place of the value of a key that has or had a handle: the handle as long as nobody has asked for
    /// what it stands for, and never that.
    #[must_use]
    pub fn shown(&self, key: &str) -> Option<String> {
        match self.pending.get(key) {
            Some((_, Node { kind: Kind::Scalar(text), .. })) => Some(quote(text.trim())),
            Some(_) => Some(quote(BLOT)),
            None => self.resolved.contains(key).then(|| quote(BLOT)),
        }
    }
}

/// The handle in `ENC[handle]`, which is all of a text.
fn handle(text: &str) -> Option<&str> {
    let handle = text.trim().strip_prefix("ENC[")?.strip_suffix(']')?.trim();
    Some(handle).filter(|handle| !handle.is_empty())
}

impl Node {
    /// All handles in it.
    fn handles(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Null => Vec::new(),
            Kind::Scalar(text) => handle(text).into_iter().collect(),
            Kind::Sequence(items) => items.iter().flat_map(Self::handles).collect(),
            Kind::Mapping(pairs) => pairs.iter().flat_map(|(_, value)| value.handles()).collect(),
        }
    }

    /// The same with what the handles stand for.
    ///
    /// # Errors
    /// The first one that can't be had.
    fn revealed(&self, answers: &Answers) -> Result<Self, String> {
        let kind = match &self.kind {
            Kind::Null => Kind::Null,
            Kind::Scalar(text) => Kind::Scalar(match handle(text) {
                Some(handle) => reveal(handle, answers)?,
                None => text.clone(),
            }),
            Kind::Sequence(items) => {
                Kind::Sequence(items.iter().map(|item| item.revealed(answers)).collect::<Result<_, _>>()?)
            }
            Kind::Mapping(pairs) => Kind::Mapping(
                pairs
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), value.revealed(answers)?)))
                    .collect::<Result<_, String>>()?,
            ),
        };
        Ok(Self { position: self.position, kind })
    }
}

fn reveal(handle: &str, answers: &Answers) -> Result<String, String> {
    match answers.get(handle) {
        Some(Ok(text)) if text.is_empty() => Err(format!("what ENC[{handle}] stands for is empty")),
        Some(Ok(text)) => Ok(text.clone()),
        Some(Err(reason)) => Err(format!("ENC[{handle}]: {reason}")),
        None => Err(format!("ENC[{handle}]: secret_backend_command does not know it")),
    }
}

/// Asks for what all handles stand for, and sets the keys to that.
///
/// # Errors
/// Every key whose handle stands for nothing that can be used.
pub(crate) fn resolve<T: Process>(
    loaded: &mut Loaded<T>,
    backend: &SecretBackend,
) -> Result<(), ConfigErrors> {
    let pending = std::mem::take(&mut loaded.handles.pending);
    let Some((key, (location, _))) = pending.first_key_value() else { return Ok(()) };
    let handles: BTreeSet<&str> = pending.values().flat_map(|(_, node)| node.handles()).collect();
    let answers = backend::ask(backend, &handles).map_err(|reason| {
        ConfigErrors(vec![ConfigError::Secret { location: location.clone(), key: (*key).to_owned(), reason }])
    })?;
    let mut errors = Vec::new();
    for (key, (location, node)) in &pending {
        let set = node.revealed(&answers).and_then(|value| match loaded.value.set(key, &value) {
            // Not what was found: that is the secret.
            Some(Err(expected)) => Err(format!("what its handle stands for is not {expected}")),
            Some(Ok(())) | None => Ok(()),
        });
        match set {
            Ok(()) => {
                loaded.origins.insert(key, location.clone());
                loaded.handles.resolved.insert(key);
            }
            Err(reason) => errors.push(ConfigError::Secret {
                location: location.clone(),
                key: (*key).to_owned(),
                reason,
            }),
        }
    }
    if errors.is_empty() { Ok(()) } else { Err(ConfigErrors(errors)) }
}
