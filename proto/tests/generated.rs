//! The generated sources are committed so that neither users nor the agent's build need clang or protoc.
//! These tests generate them anew from `bpf/include/events.h` and `probe.proto` and fail on a difference;
//! with `UPDATE_GENERATED=1` they rewrite the files instead.

#![allow(clippy::unwrap_used, reason = "a test: the helpers as well may fail loudly")]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use bindgen::callbacks::DeriveInfo;
use bindgen::callbacks::DeriveTrait;
use bindgen::callbacks::ImplementsTrait;
use bindgen::callbacks::ParseCallbacks;

fn crate_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Fails when `path` does not hold `text`, or writes it there if so asked.
fn ensure_contents(path: &Path, text: &str) {
    let current = fs::read_to_string(path).unwrap_or_default();
    if current == text {
        return;
    }
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(path, text).unwrap();
        return;
    }
    panic!(
        "{} is out of date: run `UPDATE_GENERATED=1 cargo test -p proto --test generated`",
        path.display()
    );
}

#[derive(Debug)]
struct ZerocopyDerives;

impl ParseCallbacks for ZerocopyDerives {
    /// `IntoBytes` is what makes hidden padding a compile error; all four make decoding free of `unsafe`.
    fn add_derives(&self, _info: &DeriveInfo<'_>) -> Vec<String> {
        ["FromBytes", "IntoBytes", "KnownLayout", "Immutable"].map(|name| format!("zerocopy::{name}")).into()
    }

    /// The only types that are named without being generated are `__u8` to `__u64`.
    fn blocklisted_type_implements_trait(
        &self,
        _name: &str,
        _derive: DeriveTrait,
    ) -> Option<ImplementsTrait> {
        Some(ImplementsTrait::Yes)
    }

    /// Doxygen-free C comments become doc comments as they stand.
    fn process_comment(&self, comment: &str) -> Option<String> {
        Some(comment.trim().to_owned())
    }
}

/// What one header declares, as Rust. What it uses of the others is found in the module above.
fn layout_of(header: &str) -> String {
    bindgen::Builder::default()
        .header(crate_dir().join("../bpf/include/events.h").to_str().unwrap())
        .use_core()
        .derive_default(true)
        .derive_eq(true)
        .layout_tests(true)
        .generate_comments(true)
        .clang_arg("-fparse-all-comments")
        .allowlist_file(format!(".*/include/{}", header.replace('.', "\\.")))
        .allowlist_recursively(false)
        .raw_line(format!("//! Generated from bpf/include/{header} by tests/generated.rs. Do not edit."))
        .raw_line("")
        .raw_line("use super::*;")
        .parse_callbacks(Box::new(ZerocopyDerives))
        .generate()
        .unwrap()
        .to_string()
}

#[test]
fn record_layout_is_what_the_headers_of_events_say() {
    let headers = ["events.h", "events/files.h", "events/kernel.h", "events/network.h"];
    for header in headers {
        let module = header.trim_start_matches("events/").replace(".h", ".rs").replace("events", "records");
        ensure_contents(&crate_dir().join("src/wire/layout").join(module), &layout_of(header));
    }
    let all = fs::read_dir(crate_dir().join("../bpf/include/events")).unwrap().count();
    assert_eq!(all + 1, headers.len(), "a header has no module");
}

#[test]
fn services_are_what_probe_proto_says() {
    let out = tempfile::tempdir().unwrap();
    let descriptors = protox::compile(["probe.proto"], [crate_dir()]).unwrap();
    tonic_prost_build::configure()
        .bytes(".")
        .out_dir(out.path())
        .emit_rerun_if_changed(false)
        .compile_fds(descriptors)
        .unwrap();
    let generated = fs::read_to_string(out.path().join("cws.probe.v1.rs")).unwrap();
    ensure_contents(&crate_dir().join("src/generated/cws.probe.v1.rs"), &generated);
}
