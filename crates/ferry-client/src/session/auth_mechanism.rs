/// A mechanism of enhanced authentication (section 4.12), such as SCRAM or a token. MQTT 5.0 only.
///
/// What it exchanges with the server is its own business; it should neither wait nor do input or output.
pub trait AuthMechanism: Send {
    /// The Authentication Method.
    fn method(&self) -> &str;

    /// What takes time, such as asking another server, and is done before each connection, where it may wait: what
    /// [`start`](Self::start) then goes on with.
    fn preparation(&self) -> Option<Box<dyn FnOnce() + Send>> {
        None
    }

    /// Begins an authentication, with each CONNECT and each re-authentication: the first Authentication Data.
    fn start(&mut self) -> Vec<u8>;

    /// The server sent AUTH 0x18: what to answer.
    ///
    /// # Errors
    /// Why the connection is to be given up, in words.
    fn challenge(&mut self, data: &[u8]) -> Result<Vec<u8>, String>;

    /// The server has accepted the client; `data` may prove that it is the right server.
    ///
    /// # Errors
    /// Why the connection is to be given up, in words.
    fn success(&mut self, data: &[u8]) -> Result<(), String> {
        let _unused = data;
        Ok(())
    }
}
