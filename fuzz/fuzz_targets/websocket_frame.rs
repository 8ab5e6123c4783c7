//! What a WebSocket client sends gives the same bytes, control frames and violation however it is cut, and never
//! more than was sent.

#![no_main]

use ferry_net::websocket::frame::{ControlFrame, FrameDecoder, FrameError};
use ferry_net::websocket::upgrade::{self, UpgradeOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&portion, bytes)) = input.split_first() else { return };
    let whole = decode(bytes, bytes.len().max(1));
    assert_eq!(decode(bytes, usize::from(portion).max(1)), whole);
    assert_eq!(decode(bytes, 1), whole);
    assert!(whole.0.len() <= bytes.len());

    let options = UpgradeOptions { path: "/mqtt", require_subprotocol: portion & 1 == 0, origins: &[] };
    match upgrade::parse(bytes, &options, 8192) {
        Ok(Some(upgrade)) => {
            assert!(upgrade.request_length <= bytes.len());
            assert!(upgrade.response().starts_with("HTTP/1.1 101 "));
        }
        Ok(None) => assert!(bytes.len() < 8192),
        Err(refusal) => assert!(refusal.response(&options).starts_with("HTTP/1.1 4")),
    }
});

fn decode(bytes: &[u8], portion: usize) -> (Vec<u8>, Vec<ControlFrame>, Option<FrameError>) {
    let mut decoder = FrameDecoder::default();
    let (mut payload, mut control) = (Vec::new(), Vec::new());
    for part in bytes.chunks(portion) {
        let mut part = part.to_vec();
        let decoded = decoder.decode(&mut part, |frame| control.push(frame));
        let (length, error) = match decoded {
            Ok(length) => (length, None),
            Err((length, error)) => (length, Some(error)),
        };
        payload.extend_from_slice(&part[..length]);
        if error.is_some() {
            return (payload, control, error);
        }
    }
    (payload, control, None)
}
