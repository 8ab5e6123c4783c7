//! Password files: any text is read, and what is written of it is read as the same.

#![no_main]

use ferry_auth::{PasswordFile, PasswordFileText, PasswordHash};
use libfuzzer_sys::fuzz_target;

const HASH: &str = "$2b$04$weZYFtV2KpNJcJoVYMyaeeUSeybMgJv7IQFBx5f8hcYeO3EJCQBVm";

fuzz_target!(|input: (&str, &str)| {
    let (text, user) = input;
    let (file, problems) = PasswordFile::parse(text);
    if let Ok(hash) = PasswordHash::parse(text) {
        assert_eq!(PasswordHash::parse(&hash.to_string()), Ok(hash));
    }
    let mut changed = PasswordFileText::new(text);
    assert_eq!(changed.users(), file.len() + problems.len());
    let hash = PasswordHash::parse(HASH).expect("a hash");
    if changed.set(user, &hash).is_ok() {
        let (again, _) = PasswordFile::parse(&changed.to_string());
        assert_eq!(again.get(user), Some(&hash));
        assert!(changed.remove(user) && !changed.remove(user));
        let (left, _) = PasswordFile::parse(&changed.to_string());
        assert_eq!(left.len(), file.len() - usize::from(file.get(user).is_some()));
    }
});
