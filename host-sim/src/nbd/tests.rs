//! The server as a client sees it, over a real socket.

mod client;
mod disk;
mod handshaking;
mod life;
mod requests;
