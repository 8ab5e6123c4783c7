use std::sync::{Arc, Mutex, PoisonError};

use ferry_kerberos::{Initiator, METHOD};

use crate::session::AuthMechanism;

/// Enhanced authentication by Kerberos (`GS2-KRB5`, RFC 5801): a ticket proves who the client is, and the server has to prove
/// that it is the one that the ticket is for.
///
/// ```
/// use ferry_client::{ClientOptions, Kerberos};
///
/// let options = ClientOptions::new("mqtts://broker.example")?
///     .authentication(|| Kerberos::new("broker.example"));
/// # Ok::<(), ferry_client::AddressError>(())
/// ```
///
/// The tickets are those of the process: of `kinit`, or of the cache or the keytab that the environment names (`KRB5CCNAME`,
/// `KRB5_CLIENT_KTNAME`). Before each connection the client makes sure that it has one for the server, for which it may ask the
/// key distribution centre, on a thread of its own.
///
/// The connection ends with the ticket. Until then [`Client::re_authenticate`](crate::Client::re_authenticate) goes on with a
/// newer one, for the same user; if the ticket for the server is not there yet, it waits for the key distribution
/// centre.
#[derive(Debug)]
pub struct Kerberos {
    service: String,
    user: Option<String>,
    /// What was prepared for the next beginning.
    prepared: Slot,
    attempt: Option<Attempt>,
}

type Slot = Arc<Mutex<Option<Begun>>>;
type Begun = Result<(Initiator, Vec<u8>), String>;

#[derive(Debug)]
enum Attempt {
    /// The server has to prove itself.
    Unproven(Initiator),
    Proven,
    /// There is no ticket: why.
    Failed(String),
}

impl Kerberos {
    /// For the service `mqtt` of this host: its principal is `mqtt/HOST`.
    #[must_use]
    pub fn new(host: &str) -> Self {
        Self::with_service("mqtt", host)
    }

    /// For another service of this host.
    #[must_use]
    pub fn with_service(service: &str, host: &str) -> Self {
        Self { service: format!("{service}@{host}"), user: None, prepared: Slot::default(), attempt: None }
    }

    /// With the tickets of this principal, such as `ada` or `ada@EXAMPLE.COM`, where there are several.
    #[must_use]
    pub fn user(mut self, principal: &str) -> Self {
        self.user = Some(principal.to_owned());
        self
    }

    /// The server's proof.
    fn finish(&mut self, reply: &[u8]) -> Result<(), String> {
        match self.attempt.take() {
            Some(Attempt::Unproven(mut initiator)) => {
                initiator.finish(reply).map_err(|error| error.to_string())?;
                self.attempt = Some(Attempt::Proven);
                Ok(())
            }
            Some(Attempt::Failed(why)) => Err(why),
            Some(Attempt::Proven) | None => Err("the server goes on after its proof".to_owned()),
        }
    }
}

impl AuthMechanism for Kerberos {
    fn method(&self) -> &str {
        METHOD
    }

    fn preparation(&self) -> Option<Box<dyn FnOnce() + Send>> {
        let (service, user, slot) = (self.service.clone(), self.user.clone(), Arc::clone(&self.prepared));
        Some(Box::new(move || {
            let begun = begin(&service, user.as_deref());
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
        }))
    }

    /// Nothing without a ticket: then the first question of the server is answered by leaving it, which says why.
    fn start(&mut self) -> Vec<u8> {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).take();
        match prepared.unwrap_or_else(|| begin(&self.service, self.user.as_deref())) {
            Ok((initiator, message)) => {
                self.attempt = Some(Attempt::Unproven(initiator));
                message
            }
            Err(why) => {
                self.attempt = Some(Attempt::Failed(why));
                Vec::new()
            }
        }
    }

    fn challenge(&mut self, data: &[u8]) -> Result<Vec<u8>, String> {
        self.finish(data).map(|()| Vec::new())
    }

    fn success(&mut self, data: &[u8]) -> Result<(), String> {
        match self.attempt {
            Some(Attempt::Proven) => Ok(()),
            _ => self.finish(data),
        }
    }
}

fn begin(service: &str, user: Option<&str>) -> Begun {
    Initiator::start(service, user).map_err(|error| format!("no Kerberos ticket for {service}: {error}"))
}
