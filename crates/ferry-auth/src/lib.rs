//! Who a client is
