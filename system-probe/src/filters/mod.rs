//! Filters in the kernel, put in force without a gap: see `bpf/include/filter.h`.

mod packets;
mod store;
mod tables;

pub(crate) use self::store::Store;
pub(crate) use self::tables::Tables;
