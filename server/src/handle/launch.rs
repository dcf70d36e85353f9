//! Start of a server: ports, state, clock, log and engine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use super::endpoint::{check_label, connect_string};
use super::start_error::{StartError, listen_error, port_error};
use super::state::{Snapshot, Tree};
use super::{Server, Shared};
use crate::config::{ClockKind, Config};
use crate::control::ListenerId;
use crate::keeper::{self, Keeper};
use crate::net::{CallerRuntime, Clock, Engine, Limits, NoRuntime, Ports, ReservedPort};
use crate::persistence::{DataFolder, LogSetup, WriteMode};
use crate::protocol::Timestamp;
use crate::store::{Disk, RealDisk};

impl Server {
    pub(super) fn launch(
        config: Config,
        snapshot: Option<&Snapshot>,
        seed: Option<&Tree>,
    ) -> Result<Self, StartError> {
        Self::launch_on(Arc::new(RealDisk), config, snapshot, seed)
    }

    pub(super) fn launch_on(
        disk: Arc<dyn Disk>,
        config: Config,
        snapshot: Option<&Snapshot>,
        seed: Option<&Tree>,
    ) -> Result<Self, StartError> {
        let server = Self::prepare_on(disk, config, snapshot, seed)?;
        server.begin(&mut server.ports())?;
        Ok(server)
    }

    /// Makes a server that does not accept connections yet.
    pub(super) fn prepare(
        config: Config,
        snapshot: Option<&Snapshot>,
        seed: Option<&Tree>,
    ) -> Result<Self, StartError> {
        Self::prepare_on(Arc::new(RealDisk), config, snapshot, seed)
    }

    fn prepare_on(
        disk: Arc<dyn Disk>,
        config: Config,
        snapshot: Option<&Snapshot>,
        mut seed: Option<&Tree>,
    ) -> Result<Self, StartError> {
        let mut rules = config.rules().map_err(StartError::Config)?;
        let (ports, addrs) = reserve_ports(&config)?;
        let addr = addrs.iter().flatten().next();
        let addr = addr.copied().unwrap_or(config.address);
        let folder = DataFolder::open(disk, &config.storage, &rules)?;
        let (state, appender, log_setup) = match folder {
            Some(mut folder) => {
                rules.data_format = folder.format;
                fill(&mut folder, &config, snapshot, seed.take())?;
                let (state, appender, log_setup) = folder.begin(&config.storage)?;
                (Some(state), Some(appender), Some(log_setup))
            }
            None => (snapshot.map(|it| it.state().clone()), None, None),
        };
        // An empty folder has no time.
        let reached = state.as_ref().map(keeper::Snapshot::now);
        let reached = reached.filter(|reached| *reached > Timestamp(0));
        let clock = Clock::start(config.clock, config.start_time, reached, config.tick_time)
            .map_err(|NoRuntime| StartError::NoRuntime)?;
        let config = Arc::new(config);
        let keeper = match state {
            Some(state) => Keeper::begin_with(rules, state, clock.now()),
            None => Keeper::new(rules, clock.now()),
        };
        let port = addr.port();
        let limits = Limits::of(&config);
        let engine = Engine::new(keeper, clock, Arc::clone(&config), limits, port, appender);
        // A fixed start time fixes the session ids too. A copy continues the ids of its origin.
        let continues_ids = reached.is_some() && config.clock != ClockKind::System;
        let unique_session_ids = config.start_time.is_none() && !continues_ids;
        if unique_session_ids {
            engine.make_session_ids_unique();
        }
        let engine = Arc::new(engine);
        configure(&engine, &config, &addrs, log_setup)?;
        let server = Self {
            shared: Arc::new(Shared {
                addr,
                addrs,
                ports: Mutex::new(ports),
                member_guards: Mutex::default(),
                caller_runtime: CallerRuntime::new(Arc::clone(&engine), !config.listener),
                engine,
                unique_session_ids,
                config,
            }),
        };
        if let Some(seed) = seed {
            server.seed(seed).map_err(StartError::Seed)?;
        }
        Ok(server)
    }
}

/// Reserves a port for each member that has an address, and returns the addresses of the members. Without a listener no
/// port is reserved.
fn reserve_ports(config: &Config) -> Result<(Ports, Vec<Option<SocketAddr>>), StartError> {
    let mut ports = Ports::default();
    let mut addrs = Vec::new();
    for (member, requested) in config.members() {
        let Some(requested) = requested.filter(|_| config.listener) else {
            addrs.push(requested);
            continue;
        };
        let port = ReservedPort::reserve(requested, config.listen_backlog)
            .map_err(|error| listen_error(requested, error))?;
        addrs.push(Some(port.addr()));
        let listener_id = ListenerId {
            label: None,
            member,
        };
        ports.add(port, listener_id).map_err(port_error)?;
    }
    Ok((ports, addrs))
}

/// Puts the state of a snapshot, or a seed, into an empty folder. A folder that has state ignores a seed and refuses a
/// snapshot.
fn fill(
    folder: &mut DataFolder,
    config: &Config,
    snapshot: Option<&Snapshot>,
    seed: Option<&Tree>,
) -> Result<(), StartError> {
    if !folder.is_fresh() {
        return match snapshot {
            Some(_) => Err(StartError::Config(
                "the data folder has state already, so the server cannot start from a snapshot; use an empty folder"
                    .to_owned(),
            )),
            None => Ok(()),
        };
    }
    let state = match seed {
        // A seed is written as a whole or not at all.
        Some(seed) => Some(Server::launch(config.in_memory(), snapshot, Some(seed))?.snapshot()),
        None => snapshot.cloned(),
    };
    if let Some(state) = state {
        folder.state = state.state().clone();
    }
    Ok(())
}

/// Applies the settings of labels, of the log and of the journal.
fn configure(
    engine: &Arc<Engine>,
    config: &Config,
    addrs: &[Option<SocketAddr>],
    log_setup: Option<LogSetup>,
) -> Result<(), StartError> {
    for label in &config.labels {
        engine.name_label(&check_label(label)?);
    }
    if let Some(mut log_setup) = log_setup {
        if !config.listener && config.clock != ClockKind::System {
            log_setup.mode = WriteMode::Inline;
        }
        engine.begin_log(log_setup).map_err(StartError::Thread)?;
    }
    if config.journal_transactions {
        engine.journal_transactions();
    }
    if config.journal_on_panic {
        engine.report_on_panic(connect_string(addrs.iter().flatten()));
    }
    Ok(())
}
