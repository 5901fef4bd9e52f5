//! Nothing: see `benches/engines.rs`.
