//! Clients behind a proxy that speaks the PROXY protocol.


