//! Messages of metadata services of clouds: HTTP without encryption.

use model::{Text, payload};

use super::streams::Stream;

/// Headers of a message that are looked at.
const HEADERS_MAX: usize = 64;
/// Bytes of a message's beginning; longer ones are no requests of a metadata service.
const HEAD_MAX: usize = 16 << 10;
/// Bytes of an answer's content that are waited for.
const CONTENT_MAX: usize = 8 << 10;

const AWS: &str = "aws";
const GCP: &str = "gcp";
const AZURE: &str = "azure";
const IBM: &str = "ibm";
const ORACLE: &str = "oracle";

/// What is remembered of one direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Imds {
    /// Whose service the last request was for.
    pub(super) provider: Option<&'static str>,
}

/// Takes the next whole message. `provider`: of the last request of the connection.
pub(super) fn take_from_stream(
    stream: &mut Stream<Imds>,
    is_request: bool,
    provider: Option<&'static str>,
) -> Option<payload::Imds> {
    if stream.bytes().is_empty() {
        return None;
    }
    let taken = if is_request {
        request(stream.bytes())
    } else {
        response(stream.bytes(), stream.has_ended(), provider)
    };
    match taken {
        Taken::Message(event, length, provider) => {
            stream.take(length);
            stream.extra_mut().provider = provider;
            Some(*event)
        }
        Taken::NotYet if stream.bytes().len() <= HEAD_MAX => None,
        Taken::NotYet | Taken::Never => {
            stream.give_up();
            None
        }
    }
}

enum Taken {
    /// With the number of its bytes, and whose service it is.
    Message(Box<payload::Imds>, usize, Option<&'static str>),
    NotYet,
    Never,
}

fn header<'h>(headers: &[httparse::Header<'h>], name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

fn content_length(headers: &[httparse::Header<'_>]) -> usize {
    let text = header(headers, "content-length").and_then(|value| std::str::from_utf8(value).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

fn request(bytes: &[u8]) -> Taken {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Taken::NotYet,
        Err(_) => return Taken::Never,
    };
    let url = request.path.unwrap_or_default();
    let value = |name: &str| header(request.headers, name).unwrap_or_default();
    let provider = provider_of(url, &value);
    let event = payload::Imds {
        cloud_provider: provider.unwrap_or_default().into(),
        message_type: "request".into(),
        url: url.into(),
        host: Text::new(value("host")),
        user_agent: Text::new(value("user-agent")),
        is_imds_v2: !value("x-aws-ec2-metadata-token").is_empty(),
        ..payload::Imds::default()
    };
    Taken::Message(Box::new(event), head.saturating_add(content_length(request.headers)), provider)
}

/// By what each provider demands of a request, so that other sites cannot make a browser send it; AWS demands nothing.
fn provider_of<'h>(url: &str, value: &impl Fn(&str) -> &'h [u8]) -> Option<&'static str> {
    let flavor = value("metadata-flavor");
    if flavor.eq_ignore_ascii_case(b"ibm") {
        Some(IBM)
    } else if flavor.eq_ignore_ascii_case(b"google") || url.starts_with("/computeMetadata/") {
        Some(GCP)
    } else if value("metadata").eq_ignore_ascii_case(b"true") || url.starts_with("/metadata/") {
        Some(AZURE)
    } else if value("authorization").eq_ignore_ascii_case(b"bearer oracle") || url.starts_with("/opc/") {
        Some(ORACLE)
    } else {
        Some(AWS)
    }
}

fn response(bytes: &[u8], is_all: bool, asked: Option<&'static str>) -> Taken {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Taken::NotYet,
        Err(_) => return Taken::Never,
    };
    let length = content_length(response.headers);
    let content = bytes.get(head..).unwrap_or_default();
    if content.len() < length.min(CONTENT_MAX) && !is_all {
        return Taken::NotYet;
    }
    let content = content.get(..length).unwrap_or(content);
    let server = header(response.headers, "server").unwrap_or_default();
    let provider = asked.or(match server {
        b"EC2ws" => Some(AWS),
        b"Metadata Server for VM" => Some(GCP),
        _ if server.starts_with(b"IMDS/") || server.starts_with(b"Microsoft-IIS/") => Some(AZURE),
        _ => None,
    });
    let event = payload::Imds {
        cloud_provider: provider.unwrap_or_default().into(),
        message_type: "response".into(),
        server: Text::new(server),
        credentials_type: credentials_type(content).unwrap_or_default(),
        ..payload::Imds::default()
    };
    Taken::Message(Box::new(event), head.saturating_add(length), provider)
}

/// The type of AWS's security credentials. The secrets beside it are not looked at, and nowhere kept.
fn credentials_type(content: &[u8]) -> Option<Text> {
    #[derive(serde::Deserialize)]
    struct Credentials {
        #[serde(rename = "AccessKeyId")]
        _access_key: serde::de::IgnoredAny,
        #[serde(rename = "Type")]
        credentials_type: String,
    }
    let credentials: Credentials = serde_json::from_slice(content).ok()?;
    Some(credentials.credentials_type.as_str().into())
}

#[cfg(test)]
mod tests;
