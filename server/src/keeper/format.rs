//! What the data format has no record for: a request for it is taken as the release of that name takes it.

use crate::protocol::{CreateOperation, CreateRequest, DataFormat, MultiOp, Operation, Request};

/// What a request is taken for by a release whose logs and snapshots could not hold what it asks for.
///
/// `create2` is none of these, although 3.4 does not know it: the record of what it does is that of a create.
pub(super) fn without_record(
    format: DataFormat,
    request: &Request<'_>,
) -> Option<Request<'static>> {
    if format > DataFormat::V3_4 {
        return None;
    }
    let is_newer = |operation: &MultiOp<'_>| {
        let MultiOp::Create(CreateRequest { operation, .. }) = operation else {
            return false;
        };
        matches!(
            operation,
            CreateOperation::CreateContainer | CreateOperation::CreateTtl
        )
    };
    // Their numbers, which 3.4 answers as any that it does not know (Request.isValid). In a multi they make it unreadable
    // (MultiTransactionRecord.deserialize).
    let operation = request.operation();
    if operation == Some(Operation::CreateContainer) {
        Some(Request::Unknown { op_code: 19 })
    } else if operation == Some(Operation::CreateTtl) {
        Some(Request::Unknown { op_code: 21 })
    } else if let Request::Multi(operations) = request
        && operations.iter().any(is_newer)
    {
        Some(Request::Malformed(Operation::Multi))
    } else {
        None
    }
}
