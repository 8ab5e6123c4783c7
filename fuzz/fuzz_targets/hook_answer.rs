//! Answers of a hook, from whoever may be in its place: none is too strange, and nothing but `allow` lets anybody in.

#![no_main]

use ferry_auth::HookAnswer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Ok(HookAnswer::Allow { user_name, .. }) = HookAnswer::parse(body) {
        assert!(body.windows(7).any(|word| word == b"\"allow\"") || body.contains(&b'\\'));
        assert!(user_name.is_none_or(|name| !name.is_empty() && name.len() <= 65_535));
    }
});
