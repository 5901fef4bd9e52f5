//! Any bytes are a policy file: loading must not panic, and must not take long.
//!
//! Run with `RUSTC_BOOTSTRAP=1 cargo fuzz run policy fuzz/corpus/policy fuzz/seeds/policy -- -max_len=8192 -timeout=10` in
//! `security-agent/engine`.
#![no_main]

use engine::check::CheckReport;
use engine::loader::{PolicyFile, PolicyFiles};
use engine::variables::WrittenProcesses;
use engine::{Engine, LoadOptions, load, testing};
use libfuzzer_sys::fuzz_target;
use model::{EventKind, Fields, FlatEvent};

fuzz_target!(|data: &[u8]| {
    // The second half is another file: definitions of two files are combined.
    let (first, second) = data.split_at(data.len() / 2);
    let mut files = vec![PolicyFile::in_memory("default.policy", data)];
    if data.first() == Some(&b'#') {
        files = vec![
            PolicyFile::in_memory("default.policy", first),
            PolicyFile::in_memory("custom.policy", second),
        ];
    }
    let schema = Fields::default();
    let loaded = load(PolicyFiles::in_memory(files), &schema, &LoadOptions::default());

    // Every definition is accounted for, and every diagnostic can be shown.
    let report = CheckReport::new(&loaded);
    let text = report.to_text();
    assert_eq!(report.is_success(), loaded.counts.errors == 0, "{text}");
    for diagnostic in &loaded.diagnostics {
        assert!(diagnostic.line == 0 || diagnostic.column > 0, "{diagnostic:?}");
    }

    testing::run(&loaded, &schema, 1);
    let mut engine = Engine::new(loaded.rules);
    let mut matches = Vec::new();
    for kind in EventKind::ALL {
        let mut event = FlatEvent::new(1);
        event.set_kind(*kind);
        engine.evaluate(&event, &WrittenProcesses, 1, &mut matches);
    }
});
