//! What `status` shows of a pipeline.

use serde_json::{Map, Value as Json, json};

use super::Pipeline;

impl Pipeline {
    /// What `status` shows of it.
    #[must_use]
    pub fn status(&self) -> Json {
        let variables = self.engine.variable_stats();
        let suppressed: Map<String, Json> =
            self.engine.suppressed().map(|(rule, count)| (rule.to_owned(), count.into())).collect();
        let policies: Vec<Json> = self
            .policies
            .iter()
            .map(|policy| json!({ "name": policy.name, "version": policy.version, "error": policy.error }))
            .collect();
        json!({
            "counters": self.counters,
            "rules": self.counts,
            "policies": policies,
            "suppressed_by_rule": suppressed,
            "kernel_filters": crate::filters::status(&self.filters),
            "network": self.network.counters(),
            "losses": self.losses.total().to_json(),
            "dropped_argument_chunks": self.decoder.dropped_chunks(),
            "processes": {
                "living": self.tree.len(),
                "argument_bytes": self.tree.image_bytes(),
                "counters": self.tree.counters(),
            },
            "containers": self.tree.containers().counts(),
            "waiting_events": self.held.len(),
            "variables": {
                "instances": variables.instances,
                "bytes": variables.bytes,
                "evicted": variables.evicted,
                "dropped": variables.dropped,
            },
        })
    }
}
