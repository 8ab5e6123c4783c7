/// What a client says of itself when it connects. Owned, so that a slow judgement need not borrow from the
/// connection it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The client identifier as the session will use it (assigned by the server when the client sent none).
    pub client_id: Box<str>,
    /// User Name of the CONNECT.
    pub user_name: Option<Box<str>>,
    /// Password of the CONNECT: any bytes, and in MQTT 5.0 also without a user name.
    pub password: Option<Box<[u8]>>,
    /// Address of the client, behind a proxy the one that the proxy reported.
    pub peer_address: Box<str>,
    /// Common name of the verified TLS client certificate, when one was presented.
    pub certificate_common_name: Option<Box<str>>,
    /// Whether the listener lets clients in that prove nothing.
    pub anonymous_allowed: bool,
}
