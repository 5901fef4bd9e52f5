//! The triggers themselves: they need neither root nor the agent to be built.

use std::fs;
use std::path::Path;

use anyhow::Result;
use integration_tests::harness::Trigger;

/// Programs that tests start to look at them: they say nothing, and end as their tests want it.
const SUBJECTS: [&str; 2] = ["brief", "witness"];

#[test]
fn every_trigger_compiles_and_says_how_to_use_it_or_what_it_did() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut count = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("triggers"))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".c")) else {
            continue;
        };
        let trigger = Trigger::compile(name, directory.path())?;
        if !SUBJECTS.contains(&name)
            && let Err(error) = trigger.run::<&str>([])
        {
            assert!(error.to_string().contains("usage: "), "{error}");
        }
        count += 1;
    }
    assert!(count >= 13, "{count} triggers found");
    Ok(())
}
