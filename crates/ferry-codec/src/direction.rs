/// Who sent the packet: some packets and fields may flow in one direction only (Table 2-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a client to a server: the rules a broker applies.
    FromClient,
    /// From a server to a client: the rules a client applies.
    FromServer,
}
