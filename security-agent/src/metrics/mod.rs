//! What operators can graph: numbers of `status` under the names of the reference, to a DogStatsD server or for
//! Prometheus.

mod dogstatsd;
mod prometheus;

pub use dogstatsd::DogStatsd;
pub use prometheus::serve;

use serde_json::Value as Json;

/// How a number behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// A number with its name and tags.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// The name, with dots.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it is, for Prometheus.
    pub help: &'static str,
    /// Names and values.
    pub tags: Vec<(&'static str, String)>,
    /// The number.
    pub value: f64,
}

/// The numbers of the `agent` member of `status`.
#[must_use]
pub fn of_status(status: &Json) -> Vec<Metric> {
    let mut list = List::default();
    let pipeline = &status["pipeline"];
    let gauge = Kind::Gauge;
    let one = Json::from(1);
    list.add("datadog.security_agent.runtime.running", gauge, "The agent runs", &one);
    list.add(
        "datadog.security_agent.runtime.containers_running",
        gauge,
        "Containers that are watched",
        &pipeline["containers"]["seen"],
    );
    list.add(
        "datadog.runtime_security.connected",
        gauge,
        "The agent is connected to system-probe",
        &Json::from(u8::from(status["probe"]["connected"] == true)),
    );
    list.add(
        "datadog.runtime_security.runtime_monitor.memory.rss",
        gauge,
        "Resident memory of security-agent, bytes",
        &status["resident_bytes"],
    );
    let rules = &pipeline["rules"];
    for (state, count) in rules.as_object().into_iter().flatten() {
        list.tagged("datadog.runtime_security.rules", gauge, "Rules by state", &[("state", state)], count);
    }
    list.add("datadog.runtime_security.policies", gauge, "Policies", &count(&pipeline["policies"]));
    let counters = &pipeline["counters"];
    for (kind, count) in counters["records"].as_object().into_iter().flatten() {
        list.tagged(
            "datadog.runtime_security.perf_buffer.events.read",
            Kind::Counter,
            "Records that came from the kernel",
            &[("event_type", kind)],
            count,
        );
    }
    for (name, help, value) in [
        ("datadog.runtime_security.events.evaluated", "Events that rules were evaluated on", "evaluated"),
        ("datadog.runtime_security.rules.matches", "Matches of rules", "matches"),
        ("datadog.runtime_security.stream.connections", "Streams that began", "connections"),
        ("datadog.runtime_security.stream.batches", "Batches that came from system-probe", "batches"),
    ] {
        list.add(name, Kind::Counter, help, &counters[value]);
    }
    let (matches, held_back) = (number(&counters["matches"]), number(&counters["suppressed"]));
    list.add(
        "datadog.runtime_security.rules.rate_limiter.allow",
        Kind::Counter,
        "Signals within the rate limits",
        &Json::from(matches - held_back),
    );
    for (rule, count) in pipeline["suppressed_by_rule"].as_object().into_iter().flatten() {
        list.tagged(
            "datadog.runtime_security.rules.rate_limiter.drop",
            Kind::Counter,
            "Signals that rate limits held back",
            &[("rule_id", rule)],
            count,
        );
    }
    for loss in pipeline["losses"].as_array().into_iter().flatten() {
        let text = |name: &str| loss[name].as_str().unwrap_or_default();
        list.tagged(
            "datadog.runtime_security.perf_buffer.lost_events.read",
            Kind::Counter,
            "What was lost on the way, by reason",
            &[("event_type", text("event_type")), ("reason", text("reason"))],
            &loss["count"],
        );
    }
    list.add(
        "datadog.runtime_security.process_resolver.cache_size",
        gauge,
        "Processes that are known",
        &pipeline["processes"]["living"],
    );
    for (name, count) in pipeline["processes"]["counters"].as_object().into_iter().flatten() {
        list.tagged(
            "datadog.runtime_security.process_resolver.corrections",
            Kind::Counter,
            "What the process tree had to make up or forget",
            &[("type", name)],
            count,
        );
    }
    for (name, count) in pipeline["network"].as_object().into_iter().flatten() {
        list.tagged(
            "datadog.runtime_security.network.counters",
            Kind::Counter,
            "What was understood of packets and what was not",
            &[("type", name)],
            count,
        );
    }
    for sink in status["sinks"].as_array().into_iter().flatten() {
        output(&mut list, sink);
    }
    list.0
}

fn output(list: &mut List, sink: &Json) {
    let name = sink["name"].as_str().unwrap_or_default();
    for outcome in ["written", "dropped", "failed"] {
        list.tagged(
            "datadog.runtime_security.outputs.reports",
            Kind::Counter,
            "Reports by output",
            &[("output", name), ("outcome", outcome)],
            &sink[outcome],
        );
    }
    let delivery = &sink["delivery"];
    if delivery.is_null() {
        return;
    }
    for outcome in ["sent", "refused", "dropped", "damaged"] {
        list.tagged(
            "datadog.runtime_security.intake.reports",
            Kind::Counter,
            "Reports on their way to an intake",
            &[("output", name), ("outcome", outcome)],
            &delivery[outcome],
        );
    }
    for (metric, help, kind, member) in [
        ("datadog.runtime_security.intake.requests", "Requests to an intake", Kind::Counter, "requests"),
        (
            "datadog.runtime_security.intake.failed_requests",
            "Requests to an intake that failed",
            Kind::Counter,
            "failed_requests",
        ),
        (
            "datadog.runtime_security.intake.sent_bytes",
            "Bytes that an intake took",
            Kind::Counter,
            "sent_bytes",
        ),
        (
            "datadog.runtime_security.intake.waiting",
            "Reports that wait for an intake",
            Kind::Gauge,
            "waiting",
        ),
        (
            "datadog.runtime_security.intake.waiting_bytes",
            "Bytes that wait for an intake",
            Kind::Gauge,
            "waiting_bytes",
        ),
    ] {
        list.tagged(metric, kind, help, &[("output", name)], &delivery[member]);
    }
}

#[derive(Debug, Default)]
struct List(Vec<Metric>);

impl List {
    fn add(&mut self, name: &'static str, kind: Kind, help: &'static str, value: &Json) {
        self.tagged(name, kind, help, &[], value);
    }

    /// What is no number is left out.
    fn tagged(
        &mut self,
        name: &'static str,
        kind: Kind,
        help: &'static str,
        tags: &[(&'static str, &str)],
        value: &Json,
    ) {
        if let Some(value) = value.as_f64() {
            let tags = tags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            self.0.push(Metric { name, kind, help, tags, value });
        }
    }
}

fn number(value: &Json) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn count(value: &Json) -> Json {
    value.as_array().map_or(0, Vec::len).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub(super) fn status() -> Json {
        json!({
            "resident_bytes": 5,
            "probe": { "connected": true },
            "pipeline": {
                "counters": { "records": { "exec": 7 }, "matches": 5, "suppressed": 2 },
                "rules": { "loaded": 3 },
                "suppressed_by_rule": { "a\"b": 2 },
                "losses": [{ "event_type": "exec", "reason": "ring_full", "count": 4 }],
                "containers": { "seen": 1 },
                "network": { "dns_malformed": 6 },
            },
            "sinks": [{ "name": "intake x", "written": 1, "dropped": 0, "failed": 0, "delivery": { "sent": 9 } }],
        })
    }

    #[test]
    fn the_numbers_of_status_have_the_names_of_the_reference() {
        let metrics = of_status(&status());
        let get = |name: &str, tags: &[(&'static str, &str)]| {
            let tags: Vec<_> = tags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            metrics
                .iter()
                .find(|metric| metric.name == name && metric.tags == tags)
                .map(|metric| metric.value)
        };
        for (name, tags, value) in [
            ("datadog.security_agent.runtime.running", &[][..], 1.0),
            ("datadog.security_agent.runtime.containers_running", &[], 1.0),
            ("datadog.runtime_security.perf_buffer.events.read", &[("event_type", "exec")], 7.0),
            ("datadog.runtime_security.rules.rate_limiter.allow", &[], 3.0),
            ("datadog.runtime_security.rules.rate_limiter.drop", &[("rule_id", "a\"b")], 2.0),
            (
                "datadog.runtime_security.perf_buffer.lost_events.read",
                &[("event_type", "exec"), ("reason", "ring_full")],
                4.0,
            ),
            ("datadog.runtime_security.network.counters", &[("type", "dns_malformed")], 6.0),
            ("datadog.runtime_security.intake.reports", &[("output", "intake x"), ("outcome", "sent")], 9.0),
        ] {
            assert_eq!(get(name, tags), Some(value), "{name}");
        }
        assert!(of_status(&json!({})).len() < 5, "what is not there is left out");
    }
}
