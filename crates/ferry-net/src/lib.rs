//! Listeners and byte streams: TCP, TLS, WebSocket, Unix socket, PROXY protocol
