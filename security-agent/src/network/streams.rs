//! TCP streams, put together from segments that come in any order, twice, or not at all.
//!
//! Bounded in number, in bytes that wait for earlier ones, and in bytes that nobody has taken.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

/// Streams at a time; beyond this, the one that was silent for longest is given up.
const STREAMS_MAX: usize = 1024;
/// Bytes of a stream that wait to be taken: a message of a name service with its length, and a segment.
const BYTES_MAX: usize = (64 << 10) + 2 + (16 << 10);
/// Bytes of a stream that wait for earlier ones.
const AHEAD_MAX: usize = 64 << 10;
/// Of all streams.
const ALL_BYTES_MAX: usize = 8 << 20;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct StreamKey {
    /// Identity of the socket.
    pub(super) socket: u64,
    /// `INGRESS` or `EGRESS`.
    pub(super) direction: u32,
}

impl StreamKey {
    /// The other direction.
    pub(super) fn other(self) -> Self {
        Self { direction: self.direction ^ 3, ..self }
    }
}

/// A segment as a packet carries it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'p> {
    pub(super) sequence: u32,
    /// FIN, SYN, RST …
    pub(super) flags: u8,
    pub(super) bytes: &'p [u8],
    /// Bytes it had before it was cut.
    pub(super) length: u32,
}

/// The bytes of one direction, in order.
#[derive(Debug)]
pub(super) struct Stream<E> {
    /// Sequence number of the byte that comes next.
    next: u32,
    bytes: Vec<u8>,
    /// By distance from the first byte of the stream's life, so that numbers that begin again at 0 do not matter.
    ahead: BTreeMap<u64, Vec<u8>>,
    ahead_bytes: usize,
    /// Bytes of the stream so far.
    position: u64,
    /// Bytes to come that nobody wants.
    skip: usize,
    has_ended: bool,
    is_broken: bool,
    is_hopeless: bool,
    used: u64,
    extra: E,
}

impl<E: Default> Stream<E> {
    fn new(next: u32) -> Self {
        Self {
            next,
            bytes: Vec::new(),
            ahead: BTreeMap::new(),
            ahead_bytes: 0,
            position: 0,
            skip: 0,
            has_ended: false,
            is_broken: false,
            is_hopeless: false,
            used: 0,
            extra: E::default(),
        }
    }

    /// What is there and was not taken.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes bytes from the front; those that are not there yet will be passed over.
    pub(super) fn take(&mut self, count: usize) {
        let here = count.min(self.bytes.len());
        self.bytes.drain(..here);
        self.skip = self.skip.saturating_add(count - here);
    }

    /// Nothing more comes.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// A part is missing: what comes later cannot be put in its place.
    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// What it says cannot be understood.
    pub(super) fn is_hopeless(&self) -> bool {
        self.is_hopeless
    }

    /// Says that it cannot be understood: it is given up.
    pub(super) fn give_up(&mut self) {
        self.is_hopeless = true;
        self.bytes.clear();
    }

    /// What the user of the stream remembers.
    pub(super) fn extra(&self) -> &E {
        &self.extra
    }

    /// The same, to change.
    pub(super) fn extra_mut(&mut self) -> &mut E {
        &mut self.extra
    }

    fn held(&self) -> usize {
        self.bytes.len() + self.ahead_bytes
    }

    fn append(&mut self, bytes: &[u8], length: u32) {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.bytes.extend_from_slice(bytes.get(skipped..).unwrap_or_default());
        self.next = self.next.wrapping_add(length);
        self.position += u64::from(length);
        self.is_broken |= u64::from(length) > bytes.len() as u64 || self.bytes.len() > BYTES_MAX;
    }

    fn add(&mut self, start: u32, segment: Segment<'_>) {
        let distance = start.wrapping_sub(self.next).cast_signed();
        if distance > 0 {
            let place = self.position + u64::from(distance.unsigned_abs());
            let is_cut = u64::from(segment.length) > segment.bytes.len() as u64;
            if is_cut || self.ahead_bytes + segment.bytes.len() > AHEAD_MAX {
                self.is_broken = true;
            } else if !segment.bytes.is_empty() {
                self.ahead_bytes += segment.bytes.len();
                if let Some(before) = self.ahead.insert(place, segment.bytes.to_vec()) {
                    self.ahead_bytes -= before.len();
                }
            }
            return;
        }
        let known = usize::try_from(distance.unsigned_abs()).unwrap_or(usize::MAX);
        let new = u64::from(segment.length).saturating_sub(known as u64);
        if new > 0 {
            self.append(
                segment.bytes.get(known..).unwrap_or_default(),
                u32::try_from(new).unwrap_or(u32::MAX),
            );
        }
        self.take_in_what_waited();
    }

    fn take_in_what_waited(&mut self) {
        while let Some(entry) = self.ahead.first_entry().filter(|entry| *entry.key() <= self.position) {
            let (place, bytes) = entry.remove_entry();
            self.ahead_bytes -= bytes.len();
            let known = usize::try_from(self.position - place).unwrap_or(usize::MAX);
            let new = bytes.get(known..).unwrap_or_default();
            if !new.is_empty() {
                self.append(new, u32::try_from(new.len()).unwrap_or(u32::MAX));
            }
        }
    }
}

/// All streams.
#[derive(Debug)]
pub(super) struct Streams<E> {
    streams: FxHashMap<StreamKey, Stream<E>>,
    /// Bytes that they hold.
    bytes: usize,
    uses: u64,
    evicted: u64,
}

impl<E> Default for Streams<E> {
    fn default() -> Self {
        Self { streams: FxHashMap::default(), bytes: 0, uses: 0, evicted: 0 }
    }
}

impl<E: Default> Streams<E> {
    /// Streams that were given up because there were too many.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// A stream.
    pub(super) fn get(&self, key: StreamKey) -> Option<&Stream<E>> {
        self.streams.get(&key)
    }

    /// Puts a segment in its place, and gives the stream to take from; [`Self::finish`] must follow. `None` if it only
    /// begins or ends a stream that has nothing to take.
    pub(super) fn add(&mut self, key: StreamKey, segment: Segment<'_>) -> Option<&mut Stream<E>> {
        let begins = segment.flags & SYN != 0;
        let ends = segment.flags & (FIN | RST) != 0;
        if !begins && !self.streams.contains_key(&key) && segment.length == 0 {
            return None;
        }
        self.make_room(key);
        let start = segment.sequence.wrapping_add(u32::from(begins));
        self.uses += 1;
        let stream = self.streams.entry(key).or_insert_with(|| Stream::new(start));
        let before = stream.held();
        if begins && (start != stream.next || stream.position > 0) && stream.position != 0 {
            // The same socket connects again.
            *stream = Stream::new(start);
        } else if begins {
            stream.next = start;
        }
        stream.used = self.uses;
        stream.has_ended |= ends;
        stream.add(start, segment);
        self.bytes = (self.bytes + stream.held()).saturating_sub(before);
        Some(stream)
    }

    /// Forgets the stream if nothing can come of it any more.
    pub(super) fn finish(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get(&key) else { return };
        if stream.has_ended || stream.is_broken || stream.is_hopeless {
            self.streams.remove(&key);
        }
        self.bytes = self.streams.values().map(Stream::held).sum();
    }

    fn make_room(&mut self, key: StreamKey) {
        if self.streams.contains_key(&key) && self.bytes <= ALL_BYTES_MAX {
            return;
        }
        while self.streams.len() >= STREAMS_MAX || self.bytes > ALL_BYTES_MAX {
            let oldest = self.streams.iter().min_by_key(|(_, stream)| stream.used).map(|(key, _)| *key);
            let Some(stream) = oldest.and_then(|oldest| self.streams.remove(&oldest)) else { return };
            self.bytes = self.bytes.saturating_sub(stream.held());
            self.evicted += 1;
        }
    }
}

#[cfg(test)]
mod tests;
