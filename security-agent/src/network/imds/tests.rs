//! Requests as the tools of each provider send them, and answers.

use super::*;
use crate::network::streams::{Segment, StreamKey, Streams};

const KEY: StreamKey = StreamKey { socket: 1, direction: 1 };

/// The events of a stream that comes in pieces of `size`.
fn events(text: &[u8], size: usize, is_request: bool, provider: Option<&'static str>) -> Vec<payload::Imds> {
    let (mut streams, mut found) = (Streams::<Imds>::default(), Vec::new());
    for (turn, piece) in text.chunks(size).enumerate() {
        let sequence = u32::try_from(turn * size).unwrap();
        let length = u32::try_from(piece.len()).unwrap();
        let Some(stream) = streams.add(KEY, Segment { sequence, flags: 0, bytes: piece, length }) else {
            continue;
        };
        while let Some(event) = take_from_stream(stream, is_request, provider) {
            found.push(event);
        }
        streams.finish(KEY);
    }
    found
}

#[test]
fn requests_tell_whose_service_it_is() {
    let host = "Host: 169.254.169.254\r\nUser-Agent: curl/8\r\n";
    for (url, header, provider, is_v2) in [
        ("/latest/meta-data/iam/security-credentials/x", "", AWS, false),
        ("/latest/meta-data/", "X-aws-ec2-metadata-token: abc\r\n", AWS, true),
        ("/computeMetadata/v1/instance/", "Metadata-Flavor: Google\r\n", GCP, false),
        ("/metadata/instance?api-version=2021-02-01", "Metadata: true\r\n", AZURE, false),
        ("/instance_identity/v1/token", "Metadata-Flavor: ibm\r\n", IBM, false),
        ("/opc/v2/instance/", "Authorization: Bearer Oracle\r\n", ORACLE, false),
    ] {
        let request = format!("GET {url} HTTP/1.1\r\n{host}{header}\r\n");
        for size in [1, 5, request.len()] {
            let found = events(request.as_bytes(), size, true, None);
            assert_eq!(found.len(), 1, "{url} by {size}");
            let event = &found[0];
            assert_eq!((&*event.cloud_provider, &*event.url), (provider.as_bytes(), url.as_bytes()));
            assert_eq!((&*event.host, &*event.user_agent), (&b"169.254.169.254"[..], &b"curl/8"[..]));
            assert_eq!((&*event.message_type, event.is_imds_v2), (&b"request"[..], is_v2));
        }
    }
}

#[test]
fn requests_of_one_connection_are_told_apart() {
    let text = b"PUT /latest/api/token HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /latest/user-data HTTP/1.0\r\n\r\n";
    let urls: Vec<_> = events(text, 7, true, None).into_iter().map(|event| event.url.to_string()).collect();
    assert_eq!(urls, ["/latest/api/token", "/latest/user-data"]);
}

#[test]
fn an_answer_tells_the_type_of_credentials_and_no_secret() {
    let body = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIA","SecretAccessKey":"topsecret"}"#;
    let text = format!("HTTP/1.1 200 OK\r\nServer: EC2ws\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    for size in [1, 50, text.len()] {
        let found = events(text.as_bytes(), size, false, None);
        assert_eq!(found.len(), 1);
        assert_eq!((&*found[0].cloud_provider, &*found[0].server), (&b"aws"[..], &b"EC2ws"[..]));
        assert_eq!(
            (&*found[0].message_type, &*found[0].credentials_type),
            (&b"response"[..], &b"AWS-HMAC"[..])
        );
        assert!(!format!("{found:?}").contains("topsecret"));
    }
    let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    assert_eq!(&*events(plain, 100, false, Some(ORACLE))[0].cloud_provider, b"oracle", "as it was asked");
}

#[test]
fn what_is_no_http_gives_nothing_and_is_not_kept() {
    assert!(events(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 100, true, None).is_empty());
    assert!(events(&[b'A'; 40_000], 1000, true, None).is_empty());
    let endless = [b"GET / HTTP/1.1\r\n".to_vec(), b"X: y\r\n".repeat(5_000)].concat();
    assert!(events(&endless, 1000, true, None).is_empty());
}
