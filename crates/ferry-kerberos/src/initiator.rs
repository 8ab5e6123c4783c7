use std::fmt;

use libgssapi::context::{ClientCtx, CtxFlags, SecurityContext};
use libgssapi::credential::{Cred, CredUsage};
use libgssapi::error::Error;
use libgssapi::name::Name;
use libgssapi::oid::{GSS_MECH_KRB5, GSS_NT_HOSTBASED_SERVICE, GSS_NT_USER_NAME, OidSet};

use crate::gs2_header::PLAIN;
use crate::kerberos_error::words;
use crate::{KerberosError, without_header};

/// One authentication of a client, with the tickets that the environment of the process names (`KRB5CCNAME`), or with those of
/// a keytab (`KRB5_CLIENT_KTNAME`).
pub struct Initiator {
    context: ClientCtx,
}

impl Initiator {
    /// Begins: returns the first message, too. May ask the key distribution centre for a ticket.
    ///
    /// `service` is such as `mqtt@broker.example`; `user_name` chooses among the tickets of several users.
    ///
    /// # Errors
    /// There is no ticket, nor a way to get one.
    pub fn start(service: &str, user_name: Option<&str>) -> Result<(Self, Vec<u8>), KerberosError> {
        let mut context = context(service, user_name).map_err(refused)?;
        let token = context.step(None, Some(PLAIN)).map_err(refused)?;
        let token = token.as_deref().unwrap_or_default();
        let message = [PLAIN, without_header(token)?].concat();
        Ok((Self { context }, message))
    }

    /// Whether the server has proven itself already.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.context.is_complete()
    }

    /// The server's answer, by which it proves that it has the key of the service.
    ///
    /// # Errors
    /// It does not.
    pub fn finish(&mut self, reply: &[u8]) -> Result<(), KerberosError> {
        let more = self.context.step(Some(reply), Some(PLAIN)).map_err(refused)?;
        let is_proven = || {
            let flags = self.context.flags().map_err(refused)?;
            Ok(self.context.is_complete() && flags.contains(CtxFlags::GSS_C_MUTUAL_FLAG))
        };
        if more.is_some() || !is_proven()? {
            return Err(KerberosError::Message("the server has not proven that it is the right one"));
        }
        Ok(())
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Initiator").finish_non_exhaustive()
    }
}

fn context(service: &str, user_name: Option<&str>) -> Result<ClientCtx, Error> {
    let target = Name::new(service.as_bytes(), Some(GSS_NT_HOSTBASED_SERVICE))?;
    let credential = user_name.map(|user_name| {
        let name = Name::new(user_name.as_bytes(), Some(GSS_NT_USER_NAME))?;
        let mechanisms = OidSet::singleton(GSS_MECH_KRB5)?;
        Cred::acquire(Some(&name), None, CredUsage::Initiate, Some(&mechanisms))
    });
    let flags = CtxFlags::GSS_C_MUTUAL_FLAG;
    Ok(ClientCtx::new(credential.transpose()?, target, flags, Some(GSS_MECH_KRB5)))
}

fn refused(error: Error) -> KerberosError {
    KerberosError::Refused(words(error))
}
