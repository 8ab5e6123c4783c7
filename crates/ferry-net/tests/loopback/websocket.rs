//! A WebSocket client that is not ours, over ws and wss.


