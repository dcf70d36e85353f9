//! Flags and verbs of `minikeeper ctl`. The doc comment of each verb is its help text.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

/// Command line of `minikeeper ctl`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Ctl {
    /// URL of the control API [default: MINIKEEPER_CONTROL_URL, or http://127.0.0.1:2180]
    // The flags of `serve`, which the command line has too, have an id `control` for an address.
    #[arg(
        id = "control_url",
        long = "control",
        value_name = "URL",
        global = true
    )]
    pub(super) control: Option<String>,

    /// Token of the control API [default: MINIKEEPER_CONTROL_TOKEN]
    #[arg(long, value_name = "TOKEN", global = true)]
    pub(super) token: Option<String>,

    /// Id of the server
    #[arg(long, value_name = "ID", default_value = "main", global = true)]
    pub(super) server: String,

    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,

    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// Verbs. JSON arguments have the forms of docs/json.md.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show the version, features and limits of the process
    Process,
    /// List the servers
    Servers,
    /// Show the server
    Show,
    /// Start a server from a description
    CreateServer {
        #[arg(value_name = "JSON", default_value = "{}")]
        description: String,
    },
    /// Delete the server, and show the failures of its test
    DeleteServer {
        #[arg(value_name = "ID")]
        id: String,
        /// Delete without verification
        #[arg(long)]
        no_verify: bool,
    },
    /// Start a copy of the server
    Fork,
    /// Remove everything from the server and restore its seed
    Reset,
    /// Stop the server; its state and ports remain
    Stop,
    /// Start the stopped server again
    Start,
    /// Stop the server and start it again
    Restart,
    /// Show the settings of the server
    Config,
    /// Show the kind and the time of the clock
    Clock,
    /// Turn a manual clock by a span such as 30s
    Advance {
        #[arg(value_name = "SPAN", value_parser = span)]
        by: Duration,
    },
    /// Remove empty containers and TTL znodes that are due
    Reap,
    /// List the sessions
    Sessions {
        /// Only the sessions of this label
        #[arg(value_name = "LABEL")]
        label: Option<String>,
    },
    /// Expire a session: its id, or label:NAME
    Expire { session: String },
    /// Ignore the pings of a session, so that it expires after its timeout
    Mute { session: String },
    /// Hear a muted session again
    Unmute { session: String },
    /// Close the connection of a session, or the connections that a matcher selects
    Disconnect {
        #[arg(value_name = "SESSION | MATCHER")]
        which: String,
    },
    /// Open a session of the test itself
    OpenSession,
    /// Close a session of the test itself
    CloseSession { session: String },
    /// List the connections
    Connections,
    /// List the watches
    Watches {
        /// Only the watches of this path
        path: Option<String>,
    },
    /// List the labels and their addresses
    Labels,
    /// Listen on one more port, whose clients have a label
    Label { label: String },
    /// List what clients have not closed
    Leaks,
    /// Print the tree below a path, in the form of a seed
    Tree { path: Option<String> },
    /// Print the tree as text, a line for each znode
    Dump,
    /// Show a znode
    Get { path: String },
    /// List the children of a znode
    Ls { path: String },
    /// Create a znode
    Create {
        path: String,
        #[arg(default_value = "")]
        data: String,
        /// Create an ephemeral znode, in a new session of the test
        #[arg(long)]
        ephemeral: bool,
        /// Append a sequence number to the name
        #[arg(long)]
        sequential: bool,
        /// Create missing parents
        #[arg(long)]
        parents: bool,
    },
    /// Set the data of a znode
    Set { path: String, data: String },
    /// Delete a znode
    Delete {
        path: String,
        /// Delete the znodes below it too
        #[arg(long)]
        recursive: bool,
    },
    /// Create or change the znodes of a file: JSON (.json) or YAML (.yaml, .yml)
    Seed { file: PathBuf },
    /// Compare the tree with a file: JSON (.json) or YAML (.yaml, .yml)
    Diff { file: PathBuf },
    /// Place a fault: a FaultRule
    Fault { rule: String },
    /// List the faults
    Faults,
    /// End all faults and chaos
    ClearFaults,
    /// Begin random faults: a Chaos
    Chaos { chaos: String },
    /// Hold messages: a Matcher
    Hold { matcher: String },
    /// List the holds with their messages
    Holds,
    /// Release held messages: all of a hold, or those of a Release
    Release {
        hold: String,
        #[arg(default_value = r#"{"release":"all"}"#)]
        release: String,
    },
    /// Cut the links of clients: a label, or {"on": MATCHER, "direction": ..}
    Cut {
        #[arg(value_name = "LABEL | JSON")]
        link: String,
    },
    /// List the links that are cut
    Links,
    /// Watch a budget from now on: a Budget
    Budget { budget: String },
    /// List the budgets
    Budgets,
    /// Check a claim about the journal: a Claim
    Claim {
        claim: String,
        /// Check it when it is removed instead
        #[arg(long)]
        at_end: bool,
    },
    /// Heal what a fault, chaos or link has cut: f1, x1, l1
    Heal { id: String },
    /// Remove a fault, chaos, hold, link, budget, claim, wait or snapshot: f1, x1, h1, l1, b1, c1, w1, p1
    Remove { id: String },
    /// Check whether a message can match: a Matcher
    Check { matcher: String },
    /// Print the journal
    Journal(Journal),
    /// Remove all entries of the journal
    ClearJournal,
    /// Show or change the mode of the journal: a JournalMode
    JournalMode { mode: Option<String> },
    /// Show the present end of the journal
    Mark,
    /// Wait for a message or a state: the body of POST waits
    Wait { wait: String },
    /// Wait for an armed wait
    Collect { wait: String },
    /// Show the leader, the epoch and the members
    Ensemble,
    /// Do something to a member
    Member {
        member: u8,
        #[arg(value_parser = ["stop", "start", "restart", "partition", "heal", "lag", "release", "catch_up"])]
        action: String,
    },
    /// Elect a leader; without a number, any member except the present leader
    Elect { member: Option<u8> },
    /// Partition every member from all others
    LoseQuorum,
    /// Heal all partitions of members
    RegainQuorum,
    /// Take a snapshot of the server
    Snapshot,
    /// List the snapshots
    Snapshots,
    /// Read a snapshot from a folder below --control-files of the process
    OpenSnapshot { folder: String },
    /// Compare two snapshots
    DiffSnapshots { one: String, other: String },
    /// Write the state of the server to a folder below --control-files of the process
    Export { folder: String },
    /// Call any route; a path that does not begin with /v1 is below the server
    Call {
        method: String,
        path: String,
        #[arg(value_name = "JSON", default_value = "")]
        body: String,
    },
}

/// Flags of `minikeeper ctl journal`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Journal {
    /// Print entries as they come, until the server or the caller ends
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Print the entries after this mark only
    #[arg(long, value_name = "MARK")]
    pub(super) since: Option<u64>,
    /// Print the entries that match only
    #[arg(long, value_name = "JSON")]
    pub(super) matcher: Option<String>,
    /// Maximum number of entries
    #[arg(long, value_name = "COUNT")]
    pub(super) limit: Option<u64>,
    /// Form of the output: text, lines (JSON lines), json, html (timeline)
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "lines", "json", "html"])]
    pub(super) format: Option<String>,
}

fn span(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|error| format!("{error}; use a span such as 30s or 2m"))
}
