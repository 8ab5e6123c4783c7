//! `ferry serve` where harm is near: the rights that it keeps, files that others may read, certificates that change.

mod authority;
mod serving;
mod test_certificate_rules;
mod test_certificates;
mod test_file_access;
mod test_privileges;
mod test_secrets;
#[cfg(target_os = "linux")]
mod test_service;
