//! Who a client is, and what it may do.
//!
//! This crate sees values (names, passwords, certificates), never packets or sockets. An [`Authenticator`]
//! judges the [`Credentials`] of a CONNECT, and begins an [`Exchange`] for the conversation of enhanced authentication
//! (AUTH packets, MQTT 5.0 section 4.12). Both may answer at once or later: see [`Verdict`]. A [`Chain`] asks one
//! [`Link`] after the other.
//!
//! What a client may do is said by an [`AclFile`], or by the rules of a [`RulesFile`].
//!
//! Texts of files come in as values too: [`JwtKeys`], [`PasswordFile`] for those who read one, [`PasswordFileText`] for those who
//! change one.

mod acl_file;
mod authenticator;
mod certificate_link;
mod chain;
mod client_certificate;
mod credentials;
mod decoy_hashes;
mod decoy_secret;
mod exchange;
mod fetched_keys;
mod grants;
mod hash_cost;
mod hash_queue;
mod hook;
mod jwt;
mod jwt_algorithm;
mod jwt_keys;
mod jwt_link;
#[cfg(feature = "kerberos")]
mod kerberos_link;
mod managed_roles;
mod managed_users;
mod password_file;
mod password_hash;
mod password_link;
mod peer_link;
mod psk_link;
mod rule_trie;
mod rules_file;
mod scram_exchange;
mod scram_users;
mod shown;
mod verdict;

pub use acl_file::{Access, AclDecision, AclFile, AclProblem, AclReason};
pub use authenticator::Authenticator;
pub use certificate_link::{CertificateLink, CertificateUser};
pub use chain::{Chain, Judgement, Link};
pub use client_certificate::ClientCertificate;
pub use credentials::Credentials;
pub use decoy_hashes::DecoyHashes;
pub use decoy_secret::DecoySecret;
pub use exchange::{Exchange, Step};
pub use ferry_scram::ScramHash;
pub use fetched_keys::FetchedKeys;
pub use grants::{Grants, GrantsFault};
pub use hash_cost::HashCost;
pub use hash_queue::HashQueue;
pub use hook::{HookAnswer, HookFault, hook_question};
pub use jwt::{JwtFault, JwtIdentity, JwtRules};
pub use jwt_algorithm::JwtAlgorithm;
pub use jwt_keys::{JwtKeys, JwtKeysError};
pub use jwt_link::JwtLink;
#[cfg(feature = "kerberos")]
pub use kerberos_link::{KerberosLink, KerberosRules};
pub use managed_roles::{ManagedGroup, ManagedRole, ManagedRoles, ManagedRolesError};
pub use managed_users::{ManagedUser, ManagedUsers};
pub use password_file::{
    PasswordFile, PasswordFileFault, PasswordFileProblem, PasswordFileText, UserNameError,
};
pub use password_hash::{HashError, PasswordHash};
pub use password_link::PasswordLink;
pub use peer_link::{PeerLink, PeerRule, SystemUsers};
pub use psk_link::PskLink;
pub use rules_file::{RuleClient, RuleDecision, RuleOrigin, RuleProblem, RuleReason, RulesFile};
use scram_users::ScramUsers;
pub use verdict::{Later, Outcome, Refusal, Verdict};
