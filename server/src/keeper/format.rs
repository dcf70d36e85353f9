//! Requests that a data format has no record for. They are answered as the release of that name answers them.

use crate::protocol::{CreateOperation, CreateRequest, DataFormat, MultiOp, Operation, Request};

/// Returns the request that a release takes this one for, if its logs and snapshots cannot hold the result.
///
/// `create2` is not such a request, although 3.4 does not know it: it has the same record as `create`.
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
    // 3.4 does not know these operations (Request.isValid). In a multi they make the request unreadable
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
