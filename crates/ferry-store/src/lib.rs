//! Where sessions, queues and retained messages are kept
