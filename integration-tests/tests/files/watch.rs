//! A pair that signals every event that a call causes, and the comparison with what is expected.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use integration_tests::harness::call::{Calls, Made};
use integration_tests::harness::{Pair, Setup, Signal, Trigger, can_run};
use serde_json::{Map, Value, json};

use crate::fields::{Fields, seen};
use crate::resolution;

/// A running pair and the trigger that makes calls.
pub(crate) struct Watch {
    pub(crate) pair: Pair,
    pub(crate) trigger: Trigger,
    fields: Vec<(String, Fields)>,
    places: usize,
}

/// What a signal has to say.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// The whole object `file`.
    pub(crate) file: Map<String, Value>,
    /// The whole object `syscall.EVENT`; null: there is none.
    pub(crate) syscall: Value,
    /// Other members.
    pub(crate) more: Vec<(&'static str, Value)>,
    /// What the call returned.
    pub(crate) retval: i64,
    /// Events of the type that the calls of the trigger cause before the one in question.
    pub(crate) earlier: usize,
    /// Whether the call names its file by text; if not said, whether `syscall` has a path.
    pub(crate) by_text: Option<bool>,
}

impl Expected {
    pub(crate) fn of(file: Map<String, Value>, syscall: Value) -> Self {
        Self { file, syscall, ..Self::default() }
    }

    /// Adds a member to `file`.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.file.insert(name.into(), value.into());
        self
    }

    /// Adds `file.destination`.
    pub(crate) fn destination(self, destination: impl Into<Value>) -> Self {
        self.with("destination", destination)
    }

    /// The call returned this.
    pub(crate) fn retval(mut self, retval: i64) -> Self {
        self.retval = retval;
        self
    }

    /// The call names its file by text, also if that is not told.
    pub(crate) fn by_text(mut self, by_text: bool) -> Self {
        self.by_text = Some(by_text);
        self
    }

    /// That many events of the type came before.
    pub(crate) fn after(mut self, earlier: usize) -> Self {
        self.earlier = earlier;
        self
    }
}

impl Watch {
    /// Watches these types of events; `None` if the tests cannot run here.
    pub(crate) fn of(events: &[&str]) -> Result<Option<Self>> {
        Self::with(events, Setup::new())
    }

    /// As [`Watch::of`], with more configuration.
    pub(crate) fn with(events: &[&str], setup: Setup) -> Result<Option<Self>> {
        if !can_run() {
            return Ok(None);
        }
        let of = |event: &&str| Ok(((*event).to_owned(), Fields::of(event)?));
        let fields = events.iter().map(of).collect::<Result<Vec<_>>>()?;
        let setup = fields.iter().fold(setup, |setup, (event, fields)| {
            setup.rule(event, &format!("process.file.name == \"call\" && {}", fields.always_true()))
        });
        let pair = Pair::start(&setup)?;
        let trigger = pair.trigger("call")?;
        Ok(Some(Self { pair, trigger, fields, places: 0 }))
    }

    /// A new, empty directory.
    pub(crate) fn place(&mut self) -> Result<PathBuf> {
        self.places += 1;
        let place = self.pair.path(&format!("place{}", self.places));
        fs::create_dir(&place)?;
        Ok(place)
    }

    /// Makes calls that must succeed.
    pub(crate) fn make(&self, calls: &Calls) -> Result<Made> {
        calls.make(&self.trigger)?.succeeded()
    }

    /// The signals of this event that the calls caused. Rules have seen in each field what the report says.
    pub(crate) fn signals(&mut self, event: &str, made: &Made) -> Result<Vec<Signal>> {
        self.pair.settle()?;
        let of_process = |signal: &&Signal| signal.at("process.pid") == made.pid();
        let mut signals: Vec<_> = self.pair.signals.of_rule(event).filter(of_process).cloned().collect();
        let (_, fields) = self.fields.iter().find(|(name, _)| name == event).context("not watched")?;
        for signal in &signals {
            fields.check(signal)?;
        }
        signals.iter_mut().try_for_each(resolution::set_aside)?;
        Ok(signals)
    }

    /// Fails unless the last event of this type that the calls caused is what is expected.
    pub(crate) fn expect(&mut self, event: &str, made: &Made, expected: &Expected) -> Result<Signal> {
        let signals = self.signals(event, made)?;
        ensure!(
            signals.len() == expected.earlier + 1,
            "{} events instead of {}: {signals:#?}\n{}",
            signals.len(),
            expected.earlier + 1,
            self.pair.logs()
        );
        let signal = signals.into_iter().next_back().context("no signal")?;
        let outcome = if expected.retval < 0 { "Refused" } else { "Success" };
        let syscall = match &expected.syscall {
            Value::Null => Value::Null,
            arguments => json!({ event: arguments }),
        };
        let mut members = vec![
            ("evt.name", json!(event)),
            ("evt.category", json!("File Activity")),
            ("evt.outcome", json!(outcome)),
            ("evt.async", Value::Null),
            ("process.pid", made.pid().clone()),
            ("process.tid", made.pid().clone()),
            ("process.executable.path", json!(self.trigger.path())),
            ("process.executable.name", json!("call")),
            ("syscall", syscall),
        ];
        let file = Value::Object(expected.file.clone());
        members.push(("file", if expected.file.is_empty() { Value::Null } else { file }));
        members.extend(expected.more.iter().cloned());
        let differences = signal.differences(&members);
        ensure!(differences.is_empty(), "{event}: {differences}");
        let retval = retval(&signal, event).context("no result")?;
        ensure!(retval == expected.retval.to_string(), "{event} returned {retval}, not {}", expected.retval);
        resolution::check(&self.pair.status()?, event, &signal, expected)?;
        Ok(signal)
    }
}

/// The result of the call, as the rule saw it.
pub(crate) fn retval(signal: &Signal, event: &str) -> Option<String> {
    seen(signal, &format!("{event}.retval")).map(str::to_owned)
}

/// A path as text.
pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap_or_default()
}
