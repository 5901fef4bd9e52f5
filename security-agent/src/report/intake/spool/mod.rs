//! Signals that wait for an intake: on disk, so that neither an outage nor a restart nor a crash of the agent loses them;
//! in memory where there is no disk to be had. Bounded in both cases: beyond the bound the oldest are dropped and
//! counted.
//!
//! On disk, entries are appended to numbered segments; a cursor says how far the intake has taken them. Segments that it
//! has wholly taken are removed, and with them, mostly, what the kernel has not even written to the disk yet. After a
//! restart a new segment is begun, so that what a crash has torn stays the end of an old one. Nothing is synced: entries
//! survive the process, not a power failure.

mod disk;
mod frame;
mod memory;

pub(super) use disk::Disk;
pub(super) use memory::Memory;

/// Longest entry.
pub(super) const MAX_ENTRY: usize = frame::MAX_CONTENT;

/// Entries that wait, and how far a reader has come with them.
pub(super) trait Spool: Send {
    /// Adds an entry; gives the number of older entries that were dropped for it.
    ///
    /// # Errors
    /// If it could not be added: it is then not there, not even in part.
    fn push(&mut self, entry: &[u8]) -> std::io::Result<u64>;

    /// Gives the oldest entries to `each` until that has enough. They are not dropped until [`Spool::taken`] or
    /// [`Spool::release`].
    ///
    /// # Errors
    /// If they could not be read.
    fn read(&mut self, each: &mut dyn FnMut(&[u8]) -> Enough) -> std::io::Result<Reading>;

    /// What the last [`Spool::read`] gave is done with.
    ///
    /// # Errors
    /// If that could not be written down: after a restart, these entries come again.
    fn taken(&mut self) -> std::io::Result<()>;

    /// What the last [`Spool::read`] gave will be asked for again.
    fn release(&mut self);

    /// Entries that wait, and their bytes.
    fn waiting(&self) -> (u64, u64);
}

/// What a reader says of an entry that it is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enough {
    /// It took this one and takes more.
    More,
    /// It does not take this one.
    Full,
}

/// What a read came by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reading {
    /// Entries that were given.
    pub(super) entries: u64,
    /// Entries that were damaged and are left out, as far as can be told.
    pub(super) damaged: u64,
}

#[cfg(test)]
mod tests;
