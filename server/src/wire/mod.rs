//! The bytes: frames, the requests a client sends and the replies a server gives, as jute; and the four-letter words
//! with which a connection may begin instead.
//!
//! Only the server's half is here: requests are decoded, replies encoded. The functions are total: any bytes in, a
//! value or an error out.

mod four_letter;
mod frame;
mod op_code;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use four_letter::{
    Answer, ConfReport, ConnectionReport, ConnectionSession, DumpReport, EnvironmentReport,
    FourLetterWord, LatencyReport, MonitorReport, ResponseSizes, ServerReport, last_operation,
    write_group, write_members, write_session,
};
pub(crate) use frame::{FrameError, split_frame};
pub(crate) use op_code::OpCode;
pub(crate) use reply::{ReplyWriter, encode_body, encode_message, has_long_part};
pub(crate) use request::{DecodeError, decode_connect, decode_request};
