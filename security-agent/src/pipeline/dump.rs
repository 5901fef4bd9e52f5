//! The process tree for people: what the agent knows about who runs what.

use model::report::Scrub;
use model::{Process, lossy};
use serde_json::{Map, Value as Json, json};

use super::Pipeline;

impl Pipeline {
    /// The living processes, oldest first; their arguments, secrets blotted out, if they are wanted.
    #[must_use]
    pub fn process_cache(&self, with_args: bool) -> Json {
        let mut processes: Vec<&Process> = self.tree.iter().map(|process| &**process).collect();
        processes.sort_by_key(|process| (process.start_time, process.pid));
        processes.into_iter().map(|process| self.dumped(process, with_args)).collect()
    }

    fn dumped(&self, process: &Process, with_args: bool) -> Json {
        let text = |bytes: &[u8]| lossy(bytes).into_owned();
        let mut map = Map::new();
        map.insert("pid".into(), process.pid.into());
        map.insert("ppid".into(), process.ppid.into());
        map.insert("comm".into(), text(&process.comm).into());
        map.insert("path".into(), text(&process.image.file.path).into());
        map.insert("user".into(), text(&process.credentials.user).into());
        map.insert("uid".into(), process.credentials.uid.into());
        map.insert("start_time_ns".into(), process.start_time.into());
        map.insert("is_thread".into(), process.is_thread.into());
        map.insert("source".into(), process.source.name().into());
        if let Some(container) = &process.container {
            map.insert("container_id".into(), text(&container.id).into());
        }
        if with_args {
            let arguments = process.image.arguments.all().iter().skip(1).map(text).collect();
            let arguments = self.config.scrubber.arguments(arguments);
            map.insert("args".into(), json!(arguments));
            map.insert("args_truncated".into(), process.image.args_truncated.into());
        }
        Json::Object(map)
    }
}
