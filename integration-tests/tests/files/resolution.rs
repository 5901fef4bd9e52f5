//! Who says which file it was (`path_resolution`): of every signal of a file event.

use anyhow::{Result, ensure};
use integration_tests::harness::Signal;
use serde_json::{Map, Value, json};

use crate::watch::{Expected, retval};

/// The member of a signal that [`set_aside`] fills.
const ASIDE: &str = "resolutions";

/// The objects that have it.
const TOLD_OF: [(&str, &str); 4] =
    [("file", "/file"), ("destination", "/file/destination"), ("mount", "/mount"), ("umount", "/umount")];

/// Takes who says it off the objects of a signal, so that these can be compared as a whole, and keeps it.
pub(crate) fn set_aside(signal: &mut Signal) -> Result<()> {
    let mut resolutions = Map::new();
    for (name, pointer) in TOLD_OF {
        let object = signal.0.pointer_mut(pointer).and_then(Value::as_object_mut);
        let Some(resolution) = object.and_then(|object| object.remove("path_resolution")) else { continue };
        ensure!(resolution == "kernel" || resolution == "user", "{name}: {resolution}");
        resolutions.insert(name.into(), resolution);
    }
    signal.0[ASIDE] = Value::Object(resolutions);
    Ok(())
}

/// As [`check`], of the place of a mount that was attached or removed by a call on a path.
pub(crate) fn check_mount(status: &Value, event: &str, signal: &Signal) -> Result<()> {
    let expected = json!({ event: if sees_objects(status, event) { "kernel" } else { "user" } });
    let told = &signal.0[ASIDE];
    ensure!(*told == expected, "{event}: {told} instead of {expected}");
    Ok(())
}

/// Fails unless the signal says so of who really knew: programs inside the kernel see every object, others those that the
/// call leaves behind: open files, descriptors, the working directory.
pub(crate) fn check(status: &Value, event: &str, signal: &Signal, expected: &Expected) -> Result<()> {
    let told = &signal.0[ASIDE];
    if expected.file.is_empty() {
        return Ok(());
    }
    let result: i64 = retval(signal, event).and_then(|text| text.parse().ok()).unwrap_or_default();
    if sees_objects(status, event) {
        // What is refused may be so before there is an object.
        ensure!(result < 0 || told["file"] == "kernel", "{event}: {told}");
        return Ok(());
    }
    let has_path = || expected.syscall["path"].as_str().is_some_and(|path| !path.is_empty());
    let is_text = match event {
        // The other calls that are opens return 0.
        "open" if result > 0 => false,
        "chdir" if result >= 0 => false,
        "splice" => false,
        _ => expected.by_text.unwrap_or_else(has_path),
    };
    let mut all = json!({"file": if is_text { "user" } else { "kernel" }});
    if event == "rename" || event == "link" {
        all["destination"] = "user".into();
    }
    ensure!(*told == all, "{event}: {told} instead of {all}");
    Ok(())
}

/// Whether programs inside the kernel watch this type of events, which are given the object that the call is about. Those at
/// the functions of system calls are given what the caller wrote.
fn sees_objects(status: &Value, event: &str) -> bool {
    let observations = status["probe"]["observations"].as_array().into_iter().flatten();
    let of_event = observations.filter(|seen| seen["name"] == json!(format!("file.{event}")));
    let mut programs = of_event.flat_map(|seen| seen["programs"].as_array().into_iter().flatten());
    programs.any(|program| {
        let program = program.as_str().unwrap_or_default();
        let is_call = ["__x64_sys_", "__ia32_sys_", "__arm64_sys_"].iter().any(|call| program.contains(call));
        !is_call
            && ["fentry/", "fexit/", "kprobe/", "kretprobe/"].iter().any(|hook| program.starts_with(hook))
    })
}
