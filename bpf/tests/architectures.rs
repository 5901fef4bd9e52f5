//! The objects compile for each architecture of the agent, with all their programs, on whatever machine builds them.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::Path;

use libbpf_cargo::SkeletonBuilder;
use libbpf_rs::ObjectBuilder;

include!("../flags.rs");

/// As the kernel's `Makefile`s name them.
const ARCHITECTURES: [&str; 2] = ["x86", "arm64"];

/// The names of the programs of `source`, compiled for `architecture`.
fn programs(source: &str, architecture: &str, options: &[&str]) -> Vec<String> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = tempfile::tempdir().unwrap();
    let object = directory.path().join("object.o");
    let include = format!("-I{}", package.join("include").display());
    let target = format!("-D__TARGET_ARCH_{architecture}");
    SkeletonBuilder::new()
        .source(package.join("src").join(source))
        .obj(&object)
        .clang_args(["-Wall", "-Werror", &include, &target].iter().chain(options))
        .build()
        .unwrap();
    let open = ObjectBuilder::default().open_file(&object).unwrap();
    open.progs().map(|program| program.name().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_object_has_its_programs_on_each_architecture() {
    for (source, options) in
        [("cws.bpf.c", YOUNG_KERNELS), ("cws_old.bpf.c", OLD_KERNELS), ("facts.bpf.c", OLD_KERNELS)]
    {
        let [here, there] = ARCHITECTURES.map(|architecture| programs(source, architecture, options));
        // What 32-bit programs call are functions of x86 alone; all else is on both.
        let only_x86: Vec<_> = here.iter().filter(|name| !there.contains(name)).collect();
        let only_arm64: Vec<_> = there.iter().filter(|name| !here.contains(name)).collect();
        assert!(!there.is_empty(), "{source}");
        assert!(
            only_x86.iter().all(|name| name.contains("ia32") || name.contains("compat")),
            "{source}: {only_x86:?}"
        );
        assert!(only_arm64.is_empty(), "{source}: {only_arm64:?}");
    }
}
