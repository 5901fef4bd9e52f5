//! Any bytes as a capture: reading ends with an error or at the end, and what was read can be evaluated.
#![no_main]

use libfuzzer_sys::fuzz_target;
use security_agent::stream::capture::{Content, Header, MAGIC, Reader, Writer};

fuzz_target!(|input: &[u8]| {
    // As it is, and behind a good header.
    let mut writer = Writer::new(Header::new("", &engine::HostFacts::default()));
    let mut behind_header = writer.take();
    behind_header.extend_from_slice(input);
    assert!(behind_header.starts_with(MAGIC));
    for bytes in [input, &behind_header] {
        let Ok(reader) = Reader::new(bytes) else { continue };
        for content in reader {
            match content {
                Ok(Content::Names(names)) => drop(names.to_users()),
                Ok(_) => {}
                Err(_) => break,
            }
        }
    }
});
