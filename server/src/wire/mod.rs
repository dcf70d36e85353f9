//! The bytes: frames, the requests a client sends and the replies a server gives, as jute.
//!
//! Only the server's half is here: requests are decoded, replies encoded. The functions are total: any bytes in, a
//! value or an error out.

mod frame;
mod op_code;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use frame::{FrameError, split_frame};
pub(crate) use reply::encode_message;
pub(crate) use request::{DecodeError, decode_connect, decode_request};
