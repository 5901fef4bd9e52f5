//! Messages of name services.

use std::net::IpAddr;

use domain::base::name::ToLabelIter;
use domain::base::{Message as Octets, Rtype};
use domain::rdata::{A, Aaaa, Cname};
use model::payload::{Dns, DnsQuestion, DnsResponse};
use model::{Payload, Text};

use super::streams::Stream;

/// Bytes of the header.
const HEADER: usize = 12;
/// Questions of one message that make an event each. More than one has no use but to hide the others.
const QUESTIONS_MAX: usize = 16;
/// Records of an answer that are looked at.
const RECORDS_MAX: usize = 256;

/// A message, as far as events tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) id: u16,
    /// The response code; `None`: it is a question.
    pub(super) code: Option<u16>,
    /// Number of questions that the header declares.
    pub(super) count: u16,
    pub(super) questions: Vec<Question>,
    /// Questions behind these.
    pub(super) dropped: u32,
    /// Aliases in the answer: of which name, and for which.
    pub(super) aliases: Vec<(Text, Text)>,
    /// Addresses in the answer: of which name, and for how many seconds.
    pub(super) addresses: Vec<(Text, IpAddr, u32)>,
}

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Text,
    pub(super) class: u16,
    pub(super) question_type: u16,
}

impl Message {
    /// Reads a message; `None` if it is damaged before the end of its questions. Damage behind them only ends the answer.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let octets = Octets::from_octets(bytes).ok()?;
        let (header, counts) = (octets.header(), octets.header_counts());
        let code = header.qr().then(|| octets.opt_rcode().to_int());
        let mut message = Self { id: header.id(), code, count: counts.qdcount(), ..Self::default() };
        let mut questions = octets.question();
        for question in questions.by_ref().take(QUESTIONS_MAX) {
            let question = question.ok()?;
            message.questions.push(Question {
                name: text(question.qname()),
                class: question.qclass().to_int(),
                question_type: question.qtype().to_int(),
            });
        }
        // The header may declare more than there are.
        let dropped = questions.take_while(Result::is_ok).count();
        message.dropped = u32::try_from(dropped).unwrap_or(u32::MAX);
        if header.qr() {
            message.read_answer(&octets);
        }
        Some(message)
    }

    fn read_answer(&mut self, octets: &Octets<&[u8]>) {
        let Ok(answer) = octets.answer() else { return };
        for record in answer.take(RECORDS_MAX) {
            let Ok(record) = record else { return };
            let (owner, ttl) = (text(record.owner()), record.ttl().as_secs());
            match record.rtype() {
                Rtype::A => {
                    if let Ok(Some(found)) = record.to_record::<A>() {
                        self.addresses.push((owner, found.data().addr().into(), ttl));
                    }
                }
                Rtype::AAAA => {
                    if let Ok(Some(found)) = record.to_record::<Aaaa>() {
                        self.addresses.push((owner, found.data().addr().into(), ttl));
                    }
                }
                Rtype::CNAME => {
                    if let Ok(Some(found)) = record.to_record::<Cname<_>>() {
                        self.aliases.push((owner, text(found.data().cname())));
                    }
                }
                _ => {}
            }
        }
    }
}

/// A name as people write it, without the dot at its end. What would be taken for something else is escaped as in
/// zone files, so that a label with a dot in it looks like no two labels.
fn text(name: impl ToLabelIter) -> Text {
    let mut text = Vec::with_capacity(64);
    for label in name.iter_labels().filter(|label| !label.is_root()) {
        if !text.is_empty() {
            text.push(b'.');
        }
        for &byte in label.as_slice() {
            match byte {
                b'.' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
                b'!'..=b'~' => text.push(byte),
                _ => text.extend_from_slice(format!("\\{byte:03}").as_bytes()),
            }
        }
    }
    Text::new(&text)
}

/// One event for each question; one without a name if there is none.
pub(super) fn events(message: &Message, length: u32) -> impl Iterator<Item = Payload> + '_ {
    let none = message.questions.is_empty().then(Question::default);
    let questions = message.questions.iter().cloned().chain(none);
    questions.map(move |question| {
        Payload::Dns(Dns {
            id: message.id,
            question: DnsQuestion {
                name: question.name,
                class: question.class,
                question_type: question.question_type,
                length: u16::try_from(length).unwrap_or(u16::MAX),
                count: message.count,
            },
            response: message.code.map(|code| DnsResponse { code }),
        })
    })
}

/// Takes the next whole message, which its length precedes.
pub(super) fn take_from_stream<E: Default>(stream: &mut Stream<E>) -> Option<Vec<u8>> {
    let (length, rest) = stream.bytes().split_first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    if length < HEADER {
        stream.give_up();
        return None;
    }
    let message = rest.get(..length)?.to_vec();
    stream.take(2 + length);
    Some(message)
}

#[cfg(test)]
mod tests;
