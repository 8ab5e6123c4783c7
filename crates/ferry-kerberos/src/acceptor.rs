use std::time::Duration;

use libgssapi::context::{SecurityContext, ServerCtx};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::error::Error;
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_HOSTBASED_SERVICE, OidSet};

use crate::kerberos_error::words;
use crate::{ChannelBinding, Gs2Header, KerberosError, Principal, with_header};

/// `GSS_C_CHANNEL_BOUND_FLAG`: the client has vouched for the GS2 header too. MIT Kerberos says so from 1.19 on.
const CHANNEL_BOUND: u32 = 2048;

/// A service that clients have tickets for. Its keys are those of the keytab that the environment of the process names
/// (`KRB5_KTNAME`), and are read each time, so that a new keytab is used at once.
#[derive(Clone, Debug)]
pub struct Acceptor {
    service: Box<str>,
}

/// What a client has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Who it is.
    pub client: Principal,
    /// The service that its ticket is for: one whose key the server has.
    pub service: Principal,
    /// Who it wants to be, if it says so.
    pub authorization_name: Option<String>,
    /// How long its ticket is good, with what clocks may differ.
    pub lifetime: Duration,
    /// What proves to the client that this is the server. `None` if it has not asked for that.
    pub reply: Option<Vec<u8>>,
}

impl Acceptor {
    /// Of a service such as `mqtt`, whatever the hosts that the keytab has keys for.
    #[must_use]
    pub fn new(service: &str) -> Self {
        Self { service: service.into() }
    }

    /// Looks whether there is a key. May wait for files.
    ///
    /// # Errors
    /// [`KerberosError::NoKey`].
    pub fn check(&self) -> Result<(), KerberosError> {
        self.credential().map(drop)
    }

    /// Judges a client's first and only message: GS2 header and token. May wait for files.
    ///
    /// # Errors
    /// It proves nothing, or nothing can be proven without a key.
    pub fn accept(&self, message: &[u8]) -> Result<Accepted, KerberosError> {
        let (gs2, header, token) = Gs2Header::parse(message)?;
        if gs2.channel_binding == ChannelBinding::Required {
            return Err(KerberosError::Message("the client insists on channel binding, which is not there"));
        }
        let token = with_header(token)?;
        let mut context = ServerCtx::new(Some(self.credential()?));
        let reply = context.step(&token, Some(header)).map_err(refused)?;
        if !context.is_complete() {
            return Err(KerberosError::Message("Kerberos wants to go on, as it only does for DCE"));
        }
        if context.flags().map_err(refused)?.bits() & CHANNEL_BOUND == 0 {
            return Err(KerberosError::Message("the token does not vouch for the GS2 header"));
        }
        let client = principal(context.source_name())?;
        let service = principal(context.target_name())?;
        Ok(Accepted {
            client,
            service,
            authorization_name: gs2.authorization_name,
            lifetime: context.lifetime().map_err(refused)?,
            reply: reply.map(|reply| reply.to_vec()),
        })
    }

    fn credential(&self) -> Result<Cred, KerberosError> {
        let credential = || {
            let name = Name::new(self.service.as_bytes(), Some(GSS_NT_HOSTBASED_SERVICE))?;
            let mechanisms = OidSet::singleton(GSS_MECH_KRB5)?;
            Cred::acquire(Some(&name), None, CredUsage::Accept, Some(&mechanisms))
        };
        credential().map_err(|error| KerberosError::NoKey(words(error)))
    }
}

fn principal(name: Result<Name, Error>) -> Result<Principal, KerberosError> {
    let text = name.and_then(|name| name.display_name()).map_err(refused)?;
    let principal = std::str::from_utf8(&text).ok().and_then(Principal::parse);
    principal.ok_or(KerberosError::Message("the ticket is for a name that cannot be a user's"))
}

fn refused(error: Error) -> KerberosError {
    KerberosError::Refused(words(error))
}
