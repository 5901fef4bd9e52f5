//! Compiles the BPF object with clang and generates its skeleton.

use std::env;
use std::error::Error;
use std::path::Path;
use std::path::PathBuf;

use libbpf_cargo::SkeletonBuilder;

fn main() -> Result<(), Box<dyn Error>> {
    let source_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    let skeleton = out_dir.join("cws.skel.rs");
    build(&source_dir.join("src/cws.bpf.c"), &source_dir, &skeleton)?;
    println!("cargo:rustc-env=OBJECT_PATH={}", skeleton.with_extension("o").display());
    build(&source_dir.join("src/facts.bpf.c"), &source_dir, &out_dir.join("facts.skel.rs"))?;
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=include");
    Ok(())
}

/// Compiles `source` and writes the skeleton beside the object.
fn build(source: &Path, source_dir: &Path, skeleton: &Path) -> Result<(), Box<dyn Error>> {
    let include = source_dir.join("include");
    let object = skeleton.with_extension("o");
    SkeletonBuilder::new()
        .source(source)
        .obj(&object)
        .clang_args([
            "-I".as_ref(),
            include.as_os_str(),
            "-mcpu=v3".as_ref(),
            "-Wall".as_ref(),
            "-Werror".as_ref(),
        ])
        .build_and_generate(skeleton)?;
    Ok(())
}
