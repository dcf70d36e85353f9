//! Frames, requests and replies as bytes, and the four-letter words that a connection may begin with instead.
//!
//! This is the server's half of the protocol: requests are decoded and replies encoded. No input panics: any bytes are
//! a value or an error.

mod four_letter;
mod frame;
mod op_code;
mod reply;
mod request;
#[cfg(test)]
mod tests;

pub(crate) use four_letter::{
    Answer, FourLetterWord, MonitorReport, Quotas, ResponseSizes, VERSION, last_operation,
    write_group, write_members, write_session,
};
pub use four_letter::{
    ConfReport, ConnectionReport, ConnectionSession, DumpReport, EnvironmentReport, Metric,
    MetricNumber, MetricValue, Quantiles, Sample, ServerReport, Summary,
};
pub(crate) use frame::{FrameError, split_frame};
pub(crate) use reply::{ReplyWriter, encode_body, encode_message, has_long_part};
pub(crate) use request::{DecodeError, decode_connect, decode_request};
