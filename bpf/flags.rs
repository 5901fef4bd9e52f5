// How clang is called for the two kinds of objects: for what compiles them, and for the test that compiles them for each
// architecture.

/// What kernels since 5.8 know.
const YOUNG_KERNELS: &[&str] = &["-mcpu=v3"];

/// Instructions that kernels before 5.1 know, and no tables of constants, for which they have no place. Two comparisons are
/// not made one number: the verifiers before 4.16 would no longer know that a pointer has been looked at.
const OLD_KERNELS: &[&str] =
    &["-mcpu=v2", "-fno-jump-tables", "-mllvm", "-simplifycfg-branch-fold-threshold=0"];
