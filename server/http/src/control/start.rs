//! Start of a server from one description: complete, or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use minikeeper::config::ClockKind;
use minikeeper::fault::{Chaos, FaultRule};
use minikeeper::journal::{Budget, Claim, JournalMode, Mark};
use minikeeper::protocol::Timestamp;
use minikeeper::{Config, Matcher, Server, ServerBuilder, Snapshot, Tree};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::faults::{self, LinkForm};
use super::holds;
use super::instance::{Instance, Origin, PlacedBudget, PlacedClaim, Things};
use super::{Context, limit_reached};
use crate::error::Failure;

/// Description of a server.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Description {
    /// Free text, shown in lists.
    name: Option<String>,
    /// Clock of the server; `system` by default.
    clock: Option<Clock>,
    /// Time at which the clock starts, in milliseconds since 1970.
    start_time_ms: Option<i64>,
    /// Number of members of an ensemble; 1 by default.
    members: Option<u8>,
    /// Port for clients; the members of an ensemble take the next ones. Free ports by default.
    port: Option<u16>,
    /// Labels, with an address each.
    labels: Vec<String>,
    /// Znodes that exist at the beginning.
    seed: Option<Tree>,
    /// Server that is copied.
    fork: Option<String>,
    /// Snapshot from which the server starts.
    snapshot: Option<String>,
    /// Data folder of which a copy is loaded, below the folder for files. It does not change.
    copy: Option<String>,
    /// Data folder in which the state is stored, below the folder for files.
    data_dir: Option<String>,
    faults: Vec<FaultRule>,
    chaos: Vec<Chaos>,
    holds: Vec<HoldForm>,
    budgets: Vec<Budget>,
    /// Claims that are checked when the server is deleted.
    claims: Vec<Claim>,
    links: Vec<LinkForm>,
    /// Settings by name, as `GET .../config` returns them.
    config: BTreeMap<String, Value>,
    /// Mode of the journal; the last 10,000 entries by default.
    journal: Option<JournalMode>,
    /// Whether the journal has an entry for each transaction.
    journal_transactions: bool,
    /// Whether deleting the server reports leaks.
    check_leaks: bool,
}

/// Clock of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) enum Clock {
    System,
    Manual,
}

/// Hold of a description: a matcher, or a matcher with a name.
#[derive(Debug)]
pub(super) struct HoldForm {
    pub(super) on: Matcher,
    pub(super) name: Option<String>,
}

/// Hold with a name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct NamedHold {
    on: Matcher,
    #[serde(default)]
    name: Option<String>,
}

impl<'de> Deserialize<'de> for HoldForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let value = Value::deserialize(deserializer)?;
        if value.get("on").is_some() {
            let named = NamedHold::deserialize(value).map_err(D::Error::custom)?;
            return Ok(Self {
                on: named.on,
                name: named.name,
            });
        }
        let on = Matcher::deserialize(value).map_err(D::Error::custom)?;
        Ok(Self { on, name: None })
    }
}

#[cfg(test)]
impl schemars::JsonSchema for HoldForm {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HoldForm".into()
    }

    fn json_schema(schemas: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let named = schemas.subschema_for::<NamedHold>();
        let matcher = schemas.subschema_for::<Matcher>();
        schemars::json_schema!({"anyOf": [named, matcher]})
    }
}

impl Description {
    /// Starts the server, with everything that the description places on it.
    ///
    /// # Errors
    ///
    /// If the limit of servers is reached, or a part of the description is refused. Nothing exists then.
    pub(super) fn start(self, context: &Context) -> Result<Arc<Instance>, Failure> {
        let slot = Arc::clone(&context.server_slots).try_acquire_owned();
        let slot = slot.map_err(|_| limit_reached("servers", context.limits.servers))?;
        let origin = self.origin(context)?;
        let mut builder = ServerBuilder::from(self.config(context, &origin)?);
        match &origin {
            Origin::Empty => {}
            Origin::Seed(tree) => builder = builder.seed(tree.clone()),
            Origin::Snapshot(snapshot) => builder = builder.snapshot(snapshot.clone()),
        }
        let (name, check_leaks) = (self.name.clone(), self.check_leaks);
        let mut placed = Ok(Things::default());
        let started = builder.start_with(|server| placed = self.place(server));
        let (server, things) = match (started, placed) {
            (Ok((server, ())), Ok(things)) => (server, things),
            (Err(error), Ok(things)) => {
                things.disarm();
                return Err(Failure::refused(error));
            }
            (_, Err(failure)) => return Err(failure),
        };
        let mut instance = Instance::new(context.new_id(), server, things, slot);
        instance.name = name;
        instance.origin = origin;
        instance.check_leaks = check_leaks;
        Ok(Arc::new(instance))
    }

    /// State with which the server begins.
    fn origin(&self, context: &Context) -> Result<Origin, Failure> {
        let sources = [&self.fork, &self.snapshot, &self.copy];
        let count = sources.iter().filter(|source| source.is_some()).count();
        if count + usize::from(self.seed.is_some()) > 1 {
            return Err(Failure::bad_request(
                "the body: a server begins with one of `seed`, `snapshot`, `copy` and `fork`",
            ));
        }
        if let Some(id) = &self.fork {
            return Ok(Origin::Snapshot(context.instance(id)?.server.snapshot()));
        }
        if let Some(id) = &self.snapshot {
            return Ok(Origin::Snapshot(Snapshot::clone(&*context.snapshot(id)?)));
        }
        if let Some(folder) = &self.copy {
            let opened = Snapshot::open(context.existing(folder)?);
            return Ok(Origin::Snapshot(opened.map_err(Failure::refused)?));
        }
        Ok(self.seed.clone().map_or(Origin::Empty, Origin::Seed))
    }

    fn config(&self, context: &Context, origin: &Origin) -> Result<Config, Failure> {
        let mut config = match (&self.fork, origin) {
            // A fork has the settings of its origin, as `Server::fork`.
            (Some(id), Origin::Snapshot(_)) => {
                let mut config = context.instance(id)?.server.config().clone();
                config.take_free_ports();
                if self.members.is_some() || self.port.is_some() {
                    config.member_addresses.clear();
                }
                config.labels.clear();
                config.storage = minikeeper::folder::Storage::default();
                config
            }
            _ => Config::default(),
        };
        super::config::apply(&mut config, &self.config)?;
        if let Some(clock) = self.clock {
            config.clock = match clock {
                Clock::System => ClockKind::System,
                Clock::Manual => ClockKind::Manual,
            };
        }
        if let Some(start) = self.start_time_ms {
            config.start_time = Some(Timestamp(start));
        }
        if let Some(members) = self.members {
            config.members = members;
        }
        if let Some(port) = self.port {
            config.address.set_port(port);
        }
        if let Some(mode) = self.journal {
            config.journal = mode;
        }
        config.labels.extend_from_slice(&self.labels);
        config.journal_transactions |= self.journal_transactions;
        if let Some(folder) = &self.data_dir {
            config.storage.data_dir = Some(context.place(folder)?);
        }
        // The process serves many tests; a panic in it is of none of them.
        config.journal_on_panic = false;
        Ok(config)
    }

    /// Places everything on the server, before it accepts a connection.
    fn place(self, server: &Server) -> Result<Things, Failure> {
        let mut things = Things::default();
        let placed = self.place_into(server, &mut things);
        if placed.is_err() {
            things.disarm();
        }
        placed.map(|()| things)
    }

    fn place_into(self, server: &Server, things: &mut Things) -> Result<(), Failure> {
        for label in &self.labels {
            server.labelled(label).map_err(Failure::refused)?;
        }
        for rule in self.faults {
            things.faults.add(faults::place(server, rule)?);
        }
        for rule in self.chaos {
            things.chaos.add(faults::place_chaos(server, rule)?);
        }
        for hold in self.holds {
            things.holds.add(holds::place(server, hold)?);
        }
        for link in self.links {
            things.links.add(faults::cut(server, link)?);
        }
        for budget in self.budgets {
            let guard = server.try_budget(budget.clone());
            let guard = guard.map_err(Failure::refused)?;
            things.budgets.add(PlacedBudget { budget, guard });
        }
        for claim in self.claims {
            faults::check_claim(server, &claim)?;
            let since = Mark::BEGINNING;
            things.claims.add(PlacedClaim { claim, since });
        }
        Ok(())
    }
}
