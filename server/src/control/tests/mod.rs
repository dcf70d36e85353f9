//! Control without a server.
