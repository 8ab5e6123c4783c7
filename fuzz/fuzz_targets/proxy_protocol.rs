//! A PROXY header gets one verdict: it does not depend on where the bytes are cut, nor on what follows, and it
//! comes before the limit.

#![no_main]

use ferry_net::proxy_protocol::{HEADER_BYTES_MAX, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    match parse(input) {
        Ok(None) => assert!(input.len() < HEADER_BYTES_MAX),
        Ok(Some(header)) => {
            assert!(header.length <= input.len().min(HEADER_BYTES_MAX));
            for end in 0..header.length {
                assert_eq!(parse(&input[..end]), Ok(None));
            }
            assert_eq!(parse(&input[..header.length]), Ok(Some(header)));
        }
        Err(error) => {
            let refused_at =
                (0..=input.len()).find(|&end| parse(&input[..end]).is_err()).unwrap_or(input.len());
            let early = parse(&input[..refused_at]).expect_err("found above");
            let is_same_kind = std::mem::discriminant(&early) == std::mem::discriminant(&error);
            assert!(is_same_kind, "{early:?}, then {error:?}");
        }
    }
});
