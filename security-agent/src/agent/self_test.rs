//! When the agent tests itself: at the start, and when it is asked to.

use serde_json::{Value as Json, json};
use tokio::sync::oneshot;

use super::{Agent, wall_now};
use crate::policies::load_quietly;
use crate::self_test::{Outcome, SelfTest};

impl Agent {
    /// Makes ready for a test; the rules are to be loaded then.
    pub(super) fn prepare_self_test(&mut self) {
        let settings = &self.parts.settings;
        match SelfTest::prepare(&settings.intake.run_path, settings.self_test.timeout) {
            Ok(test) => self.self_test = Some(test),
            Err(error) => {
                let error = format!("no place for the test: {error}");
                self.tell_self_test(Outcome { error, ..Outcome::default() });
            }
        }
    }

    /// Puts the test's rules in force beside the others, or takes them away when there is no test any more.
    pub(super) fn load_for_self_test(&mut self) {
        let policy = self.self_test.as_ref().map(SelfTest::policy);
        let directory = &self.parts.settings.policies.dir;
        let load = load_quietly(directory, policy, &self.parts.load_options);
        self.parts.pipeline.put_in_force(load);
    }

    /// The probe knows the rules.
    pub(super) fn act_for_self_test(&mut self) {
        let Some(test) = &mut self.self_test else { return };
        if let Err(error) = test.act() {
            let error = format!("cannot change the file of the test: {error}");
            self.finish_self_test(Outcome { error, ..Outcome::default() });
        }
    }

    /// Once it has begun, or where the probe need not be told of the rules.
    pub(super) fn act_for_self_test_again(&mut self) {
        let is_connected = self.connection.probe.is_some();
        if is_connected && self.self_test.is_some() {
            self.act_for_self_test();
        }
    }

    /// Whether the events came.
    pub(super) fn look_at_self_test(&mut self) {
        let matched = self.parts.pipeline.take_self_tested();
        let Some(test) = &mut self.self_test else { return };
        test.matched(matched);
        if let Some(outcome) = test.outcome() {
            self.finish_self_test(outcome);
        }
    }

    fn finish_self_test(&mut self, outcome: Outcome) {
        let answers = self.self_test.as_mut().map(|test| std::mem::take(&mut test.answers));
        self.self_test = None;
        self.load_for_self_test();
        self.configure();
        for answer in answers.into_iter().flatten() {
            // Whoever asked may have gone meanwhile.
            drop(answer.send(answer_of(&outcome)));
        }
        self.tell_self_test(outcome);
    }

    fn tell_self_test(&mut self, outcome: Outcome) {
        if outcome.is_ok() {
            tracing::info!("self-test: OK");
        } else {
            tracing::warn!("self-test: {}", outcome.line());
        }
        if self.parts.settings.self_test.send_report {
            self.parts.pipeline.self_test(&outcome, wall_now());
        }
        self.self_tested = Some(outcome);
    }

    /// Somebody asked for a test.
    pub(super) fn test_on_request(&mut self, answer: oneshot::Sender<Json>) {
        if self.connection.probe.is_none() {
            let outcome = Outcome { error: "not connected to system-probe".to_owned(), ..Outcome::default() };
            return drop(answer.send(answer_of(&outcome)));
        }
        if self.self_test.is_none() {
            self.prepare_self_test();
            if self.self_test.is_some() {
                self.load_for_self_test();
                self.configure();
            }
        }
        match &mut self.self_test {
            Some(test) => test.answers.push(answer),
            None => {
                let outcome = self.self_tested.clone().unwrap_or_default();
                drop(answer.send(answer_of(&outcome)));
            }
        }
    }

    /// The last result, for `status`.
    pub(super) fn self_test_status(&self) -> Json {
        let result = match (&self.self_test, &self.self_tested) {
            (Some(_), _) if self.connection.probe.is_none() => "waits for system-probe".to_owned(),
            (Some(_), _) => "running".to_owned(),
            (None, Some(outcome)) => outcome.line(),
            (None, None) => "not run".to_owned(),
        };
        let mut members = self.self_tested.as_ref().map(Outcome::members).unwrap_or_default();
        members.insert("result".to_owned(), result.into());
        Json::Object(members)
    }
}

fn answer_of(outcome: &Outcome) -> Json {
    // Not as `error`, which would say that the agent refuses.
    json!({ "result": outcome.line() })
}
