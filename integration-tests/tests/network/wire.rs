//! Messages of name services as bytes, made by hand.

/// A name as the wire has it.
pub(crate) fn name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap_or(63));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A question: its name, type and class.
pub(crate) fn question(of: &str, question_type: u16, class: u16) -> Vec<u8> {
    [name(of), question_type.to_be_bytes().to_vec(), class.to_be_bytes().to_vec()].concat()
}

/// A message with these questions.
pub(crate) fn query(id: u16, questions: &[Vec<u8>]) -> Vec<u8> {
    let count = u16::try_from(questions.len()).unwrap_or(u16::MAX);
    let header = [id, 0x0100, count, 0, 0, 0];
    [header.iter().flat_map(|word| word.to_be_bytes()).collect(), questions.concat()].concat()
}

/// The same with its length before it, as TCP has it.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    [&u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes()[..], message].concat()
}
