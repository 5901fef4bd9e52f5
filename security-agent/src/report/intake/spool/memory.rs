//! Entries that wait in memory.

use std::collections::VecDeque;
use std::io;

use super::{Enough, Reading, Spool};

/// A bounded queue.
#[derive(Debug)]
pub(in crate::report::intake) struct Memory {
    entries: VecDeque<Vec<u8>>,
    bytes: usize,
    limit: usize,
    /// Entries at the front that are being sent.
    read: usize,
}

impl Memory {
    /// Holds up to `limit` bytes.
    pub(in crate::report::intake) fn new(limit: usize) -> Self {
        Self { entries: VecDeque::new(), bytes: 0, limit, read: 0 }
    }

    fn size(entry: &[u8]) -> usize {
        entry.len() + size_of::<Vec<u8>>()
    }
}

impl Spool for Memory {
    fn push(&mut self, entry: &[u8]) -> io::Result<u64> {
        let size = Self::size(entry);
        let mut dropped = 0;
        while self.bytes + size > self.limit {
            let Some(oldest) = self.entries.remove(self.read) else {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "all that waits is being sent"));
            };
            self.bytes -= Self::size(&oldest);
            dropped += 1;
        }
        self.bytes += size;
        self.entries.push_back(entry.to_vec());
        Ok(dropped)
    }

    fn read(&mut self, each: &mut dyn FnMut(&[u8]) -> Enough) -> io::Result<Reading> {
        self.read = self.entries.iter().take_while(|entry| each(entry) == Enough::More).count();
        Ok(Reading { entries: u64::try_from(self.read).unwrap_or(u64::MAX), damaged: 0 })
    }

    fn taken(&mut self) -> io::Result<()> {
        for entry in self.entries.drain(..self.read) {
            self.bytes -= Self::size(&entry);
        }
        self.read = 0;
        Ok(())
    }

    fn release(&mut self) {
        self.read = 0;
    }

    fn waiting(&self) -> (u64, u64) {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        (count(self.entries.len()), count(self.bytes))
    }
}
