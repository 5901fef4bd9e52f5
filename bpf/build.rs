//! Compiles the BPF object with clang and generates its skeleton.

use std::env;
use std::error::Error;
use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use libbpf_cargo::SkeletonBuilder;

include!("flags.rs");

fn main() -> Result<(), Box<dyn Error>> {
    let source_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let skeleton = out_dir.join("cws.skel.rs");
    build(&source_dir.join("src/cws.bpf.c"), &source_dir, &skeleton, YOUNG_KERNELS)?;
    println!("cargo:rustc-env=OBJECT_PATH={}", skeleton.with_extension("o").display());
    let old = out_dir.join("cws_old.skel.rs");
    build(&source_dir.join("src/cws_old.bpf.c"), &source_dir, &old, OLD_KERNELS)?;
    println!("cargo:rustc-env=OLD_OBJECT_PATH={}", old.with_extension("o").display());
    build(&source_dir.join("src/facts.bpf.c"), &source_dir, &out_dir.join("facts.skel.rs"), OLD_KERNELS)?;
    println!("cargo:rerun-if-changed=flags.rs");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=include");
    Ok(())
}

/// Compiles `source` and writes the skeleton beside the object.
fn build(source: &Path, source_dir: &Path, skeleton: &Path, options: &[&str]) -> Result<(), Box<dyn Error>> {
    let include = source_dir.join("include");
    let object = skeleton.with_extension("o");
    SkeletonBuilder::new()
        .source(source)
        .obj(&object)
        // An array of its bytes would take the compiler a minute.
        .reference_obj(true)
        .clang_args(
            ["-I".as_ref(), include.as_os_str(), "-Wall".as_ref(), "-Werror".as_ref()]
                .into_iter()
                .chain(options.iter().map(OsStr::new)),
        )
        .build_and_generate(skeleton)?;
    Ok(())
}
