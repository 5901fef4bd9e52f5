//! Entries that wait in files.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags};

use super::frame::{self, Found};
use super::{Enough, Reading, Spool};

const CURSOR: &str = "cursor";
const LOCK: &str = "lock";
const SUFFIX: &str = ".spool";
/// A segment is begun when the last one has this size; smaller where the bound is small.
const SEGMENT_SIZE: u64 = 1 << 20;
/// Segments that the bound has room for, at least.
const SEGMENTS: u64 = 8;

/// A place in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Position {
    segment: u64,
    offset: u64,
}

/// A file of entries.
#[derive(Debug)]
struct Segment {
    number: u64,
    length: u64,
    /// Entries after the cursor.
    waiting: u64,
}

/// What the last read gave.
#[derive(Debug)]
struct InFlight {
    end: Position,
    /// Entries by segment, damaged ones included.
    entries: Vec<(u64, u64)>,
}

/// A spool in a directory.
#[derive(Debug)]
pub(in crate::report::intake) struct Disk {
    directory: PathBuf,
    limit: u64,
    segment_size: u64,
    /// Oldest first.
    segments: VecDeque<Segment>,
    /// The last segment, while entries are appended to it.
    active: Option<File>,
    next: u64,
    cursor: Position,
    in_flight: Option<InFlight>,
    /// Held as long as this spool lives.
    _lock: File,
}

impl Disk {
    /// Opens the spool in `directory`, or makes one there; gives the number of entries that were damaged.
    ///
    /// # Errors
    /// If the directory does not admit it, or another process uses it.
    pub(in crate::report::intake) fn open(directory: &Path, limit: u64) -> io::Result<(Self, u64)> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let lock = options()?.write(true).create(true).open(directory.join(LOCK))?;
        rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| io::Error::new(io::ErrorKind::ResourceBusy, "another process uses it"))?;
        let cursor = read_cursor(&directory.join(CURSOR));
        let start = cursor.unwrap_or(Position { segment: 0, offset: 0 });
        let mut spool = Self {
            directory: directory.to_owned(),
            limit,
            segment_size: (limit / SEGMENTS).min(SEGMENT_SIZE),
            segments: VecDeque::new(),
            active: None,
            next: start.segment + 1,
            cursor: start,
            in_flight: None,
            _lock: lock,
        };
        let damaged = spool.find_segments()?;
        // Something can be written at all: better known now than at the first signal.
        spool.write_cursor(spool.cursor)?;
        Ok((spool, damaged))
    }

    /// Takes in the segments that are there; gives the number of damaged entries.
    fn find_segments(&mut self) -> io::Result<u64> {
        let mut numbers: Vec<u64> = std::fs::read_dir(&self.directory)?
            .flatten()
            .filter_map(|entry| number_of(&entry.file_name().to_string_lossy()))
            .collect();
        numbers.sort_unstable();
        let mut all_damaged = 0;
        for number in numbers {
            self.next = self.next.max(number.saturating_add(1));
            let path = self.path(number);
            let bytes = if number < self.cursor.segment { Vec::new() } else { std::fs::read(&path)? };
            let start = if number == self.cursor.segment { self.cursor.offset } else { 0 };
            let start = usize::try_from(start).unwrap_or(usize::MAX);
            let mut waiting = 0;
            for found in Entries(bytes.get(start..).unwrap_or_default()) {
                match found {
                    Found::Entry(_) => waiting += 1,
                    Found::Damaged(_) => all_damaged += 1,
                }
            }
            if waiting == 0 {
                std::fs::remove_file(&path)?;
            } else {
                let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                self.segments.push_back(Segment { number, length, waiting });
            }
        }
        if let Some(first) = self.segments.front().filter(|first| first.number != self.cursor.segment) {
            self.cursor = Position { segment: first.number, offset: 0 };
        }
        Ok(all_damaged)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:016x}{SUFFIX}"))
    }

    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Drops the oldest segments that are not being sent until `size` more bytes fit.
    fn make_room(&mut self, size: u64) -> io::Result<u64> {
        let mut dropped = 0;
        while self.bytes().saturating_add(size) > self.limit {
            let sent = self.in_flight.as_ref().map(|in_flight| in_flight.end.segment);
            let oldest =
                self.segments.iter().position(|segment| sent.is_none_or(|sent| segment.number > sent));
            let Some(segment) = oldest.and_then(|index| self.segments.remove(index)) else {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "all that waits is being sent"));
            };
            if self.segments.back().is_none_or(|last| last.number < segment.number) {
                self.active = None;
            }
            // What cannot be removed is no longer counted, and is found again at the next start.
            if let Err(error) = std::fs::remove_file(self.path(segment.number)) {
                tracing::warn!(%error, segment = segment.number, "cannot remove signals that wait for too long");
            }
            dropped += segment.waiting;
        }
        Ok(dropped)
    }

    /// The segment to append to.
    fn active(&mut self, size: u64) -> io::Result<&File> {
        let is_full =
            self.segments.back().is_some_and(|last| last.length.saturating_add(size) > self.segment_size);
        if is_full || self.segments.is_empty() {
            self.active = None;
        }
        if self.active.is_none() {
            let number = self.next;
            let file = options()?.append(true).create_new(true).open(self.path(number))?;
            self.next += 1;
            self.segments.push_back(Segment { number, length: 0, waiting: 0 });
            self.active = Some(file);
        }
        self.active.as_ref().ok_or_else(|| io::Error::other("no segment"))
    }

    fn write_cursor(&self, cursor: Position) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(32);
        let content = [cursor.segment.to_le_bytes(), cursor.offset.to_le_bytes()].concat();
        frame::encode(&content, &mut bytes).ok_or_else(|| io::Error::other("too long"))?;
        let path = self.directory.join(CURSOR);
        let new = path.with_extension("new");
        options()?.write(true).create(true).truncate(true).open(&new)?.write_all(&bytes)?;
        std::fs::rename(new, path)
    }
}

impl Spool for Disk {
    fn push(&mut self, entry: &[u8]) -> io::Result<u64> {
        let mut bytes = Vec::with_capacity(frame::HEADER + entry.len());
        frame::encode(entry, &mut bytes)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "longer than any entry"))?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let dropped = self.make_room(size)?;
        let mut file = self.active(size)?;
        let written = file.write_all(&bytes);
        if written.is_err() {
            let length = self.segments.back().map_or(0, |last| last.length);
            // What is there in part must not be before other entries: if it cannot be cut off, a new segment begins.
            if self.active.as_ref().is_some_and(|file| file.set_len(length).is_err()) {
                self.active = None;
            }
        }
        written?;
        if let Some(last) = self.segments.back_mut() {
            last.length += size;
            last.waiting += 1;
        }
        Ok(dropped)
    }

    fn read(&mut self, each: &mut dyn FnMut(&[u8]) -> Enough) -> io::Result<Reading> {
        let mut reading = Reading::default();
        let mut in_flight = InFlight { end: self.cursor, entries: Vec::new() };
        'segments: for segment in &self.segments {
            let is_first = segment.number == self.cursor.segment;
            let mut offset = if is_first { self.cursor.offset } else { 0 };
            let length = usize::try_from(segment.length.saturating_sub(offset)).unwrap_or(0);
            let mut bytes = vec![0; length];
            let read = options()?
                .read(true)
                .open(self.path(segment.number))
                .and_then(|file| file.read_exact_at(&mut bytes, offset));
            if let Err(error) = read {
                // Somebody has removed it or cut it: these entries are gone.
                tracing::error!(%error, segment = segment.number, "cannot read signals that wait");
                reading.damaged += segment.waiting;
                in_flight.end = Position { segment: segment.number, offset: segment.length };
                in_flight.entries.push((segment.number, segment.waiting));
                continue;
            }
            let mut entries = 0;
            for found in Entries(&bytes) {
                let size = match found {
                    Found::Entry(content) if each(content) == Enough::Full => {
                        in_flight.entries.push((segment.number, entries));
                        break 'segments;
                    }
                    Found::Entry(content) => {
                        reading.entries += 1;
                        frame::HEADER + content.len()
                    }
                    Found::Damaged(skip) => {
                        reading.damaged += 1;
                        skip
                    }
                };
                entries += 1;
                offset += u64::try_from(size).unwrap_or(u64::MAX);
                in_flight.end = Position { segment: segment.number, offset };
            }
            in_flight.entries.push((segment.number, entries));
        }
        self.in_flight = Some(in_flight);
        Ok(reading)
    }

    fn taken(&mut self) -> io::Result<()> {
        let Some(InFlight { end, entries }) = self.in_flight.take() else { return Ok(()) };
        self.cursor = end;
        for (number, count) in entries {
            if let Some(segment) = self.segments.iter_mut().find(|segment| segment.number == number) {
                segment.waiting = segment.waiting.saturating_sub(count);
            }
        }
        // Removing a segment says as well that it was taken.
        let mut result = Ok(());
        let mut is_cursor_needed = false;
        while let Some(first) = self.segments.front().filter(|first| first.number <= end.segment) {
            if first.number == end.segment && end.offset < first.length {
                is_cursor_needed = true;
                break;
            }
            if first.number == end.segment && self.segments.len() == 1 {
                self.active = None;
            }
            result = result.and(std::fs::remove_file(self.path(first.number)));
            self.segments.pop_front();
        }
        if is_cursor_needed || result.is_err() {
            result = result.and(self.write_cursor(end));
        }
        result
    }

    fn release(&mut self) {
        self.in_flight = None;
    }

    fn waiting(&self) -> (u64, u64) {
        (self.segments.iter().map(|segment| segment.waiting).sum(), self.bytes())
    }
}

/// The entries of some bytes, and what is damaged between them.
struct Entries<'a>(&'a [u8]);

impl<'a> Iterator for Entries<'a> {
    type Item = Found<'a>;

    fn next(&mut self) -> Option<Found<'a>> {
        let found = frame::decode(self.0)?;
        let size = match found {
            Found::Entry(content) => frame::HEADER + content.len(),
            Found::Damaged(skip) => skip,
        };
        self.0 = self.0.get(size..).unwrap_or_default();
        Some(found)
    }
}

/// Files of a spool are nobody else's, and no symbolic links.
fn options() -> io::Result<std::fs::OpenOptions> {
    let flags = i32::try_from((OFlags::NOFOLLOW | OFlags::CLOEXEC).bits()).map_err(io::Error::other)?;
    let mut options = File::options();
    options.mode(0o600).custom_flags(flags);
    Ok(options)
}

fn number_of(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(SUFFIX)?, 16).ok()
}

/// `None`: there is none, or it makes no sense.
fn read_cursor(path: &Path) -> Option<Position> {
    let bytes = std::fs::read(path).ok()?;
    let Found::Entry(content) = frame::decode(&bytes)? else { return None };
    let number = |at: usize| Some(u64::from_le_bytes(content.get(at..at + 8)?.try_into().ok()?));
    Some(Position { segment: number(0)?, offset: number(8)? })
}
