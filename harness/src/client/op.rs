//! Operation codes, and the versions that introduced them.

use semver::Version;

macro_rules! ops {
    ($($name:ident = $number:literal, $word:literal, $minor:literal $patch:literal;)*) => {
        $(#[doc = concat!("`", $word, "`")] pub const $name: i32 = $number;)*

        /// Returns the operation's name in ZooKeeper's clients.
        #[must_use]
        pub fn name(op: i32) -> &'static str {
            match op {
                $($name => $word,)*
                _ => "unknown",
            }
        }

        /// Returns the first version, from 3.4 on, that knows the operation.
        #[must_use]
        pub fn since(op: i32) -> Option<Version> {
            match op {
                $($name => Some(Version::new(3, $minor, $patch)),)*
                _ => None,
            }
        }

        /// Every operation.
        pub const ALL: &[i32] = &[$($name),*];
    };
}

ops! {
    CREATE = 1, "create", 4 0;
    DELETE = 2, "delete", 4 0;
    EXISTS = 3, "exists", 4 0;
    GET_DATA = 4, "getData", 4 0;
    SET_DATA = 5, "setData", 4 0;
    GET_ACL = 6, "getACL", 4 0;
    SET_ACL = 7, "setACL", 4 0;
    GET_CHILDREN = 8, "getChildren", 4 0;
    SYNC = 9, "sync", 4 0;
    PING = 11, "ping", 4 0;
    GET_CHILDREN2 = 12, "getChildren2", 4 0;
    CHECK = 13, "check", 4 0;
    MULTI = 14, "multi", 4 0;
    CREATE2 = 15, "create2", 5 0;
    RECONFIG = 16, "reconfig", 5 0;
    CHECK_WATCHES = 17, "checkWatches", 5 0;
    REMOVE_WATCHES = 18, "removeWatches", 5 0;
    CREATE_CONTAINER = 19, "createContainer", 5 1;
    DELETE_CONTAINER = 20, "deleteContainer", 5 1;
    CREATE_TTL = 21, "createTTL", 5 3;
    MULTI_READ = 22, "multiRead", 6 0;
    AUTH = 100, "auth", 4 0;
    SET_WATCHES = 101, "setWatches", 4 0;
    SASL = 102, "sasl", 4 0;
    GET_EPHEMERALS = 103, "getEphemerals", 6 0;
    GET_ALL_CHILDREN_NUMBER = 104, "getAllChildrenNumber", 6 0;
    SET_WATCHES2 = 105, "setWatches2", 6 0;
    ADD_WATCH = 106, "addWatch", 6 0;
    WHO_AM_I = 107, "whoAmI", 7 0;
    CREATE_SESSION = -10, "createSession", 4 0;
    CLOSE_SESSION = -11, "closeSession", 4 0;
}
