//! Combines all sources of settings into one [`Config`], or refuses them with one line.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use minikeeper::config::{BadValue, Place, SETTINGS};
use minikeeper::{Config, journal::JournalMode};
use minikeeper_http::{AdminSettings, MetricsSettings};
use thiserror::Error;

use self::admin::Shown;
use crate::digest;
use crate::environment::{self, Configured, Given, Origin, Variables};
use crate::flags::Serve;
use crate::keys::{self, Effect, Key, Own, When, Why};
use crate::members;
use crate::zoo_cfg;

/// Default port of ZooKeeper.
pub(crate) const CLIENT_PORT: u16 = 2181;

const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), CLIENT_PORT);

/// Configuration of a server, and the warnings about it.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// Number of the member that this process would be; the AdminServer and the metrics are its.
    pub(crate) own_member: u8,
    /// `user:password` of the super user, which overrides the digest in `config`.
    pub(crate) super_user: Option<String>,
    /// AdminServer, if it is on.
    pub(crate) admin: Option<AdminSettings>,
    /// Metrics for Prometheus, if they are on.
    pub(crate) metrics: Option<MetricsSettings>,
    /// Lines to log before the start.
    pub(crate) warnings: Vec<String>,
}

/// Error: no server starts with this configuration.
#[derive(Debug, Error)]
pub(crate) enum Refusal {
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    #[error("{origin}: {key}={value}: {reason}")]
    Value {
        origin: String,
        key: String,
        value: String,
        reason: String,
    },
    #[error("{0}")]
    Whole(String),
    #[error("not supported: {}; use --ignore-unsupported to start anyway", lacks.join("; "))]
    Unsupported { lacks: Vec<String> },
}

impl Refusal {
    pub(crate) fn value(given: &Given, reason: impl Into<String>) -> Self {
        Self::Value {
            origin: given.origin.to_string(),
            key: given.name.clone(),
            value: given.value.clone(),
            reason: reason.into(),
        }
    }
}

/// Source of the settings that have no flag. Each source has its own defaults, as in ZooKeeper.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// Environment variables, if there are any.
    Variables,
    /// A `zoo.cfg`.
    File(PathBuf),
    /// `PORT DIR [TICKTIME [MAXCNXNS]]`.
    Arguments(Vec<String>),
}

/// Combines the flags, a `zoo.cfg` or the variables of an image, and system properties.
// Longer than 60 lines: each source has its own defaults.
pub(crate) fn settle(
    source: &Source,
    variables: &Variables,
    flags: &Serve,
) -> Result<Settings, Refusal> {
    let mut gathered = Gathered::default();
    let mut properties = environment::system_properties(variables);
    let mut config = with_zoo_cfg();
    let lines = match source {
        Source::Arguments(arguments) => {
            // ServerConfig.parse(String[]) leaves maxClientCnxns at Java's zero.
            config.max_client_connections = 0;
            Some(arguments_as_lines(arguments)?)
        }
        Source::File(path) => {
            gathered.file = Some(path.clone());
            Some(zoo_cfg::read(path)?)
        }
        Source::Variables => match environment::configured(variables)? {
            None => {
                config = without_configuration();
                None
            }
            Some(Configured::File(path)) => {
                let lines = zoo_cfg::read(&path)?;
                gathered.file = Some(path);
                Some(lines)
            }
            Some(Configured::Variables(found)) => {
                if !found.is_image {
                    config = without_configuration();
                    gathered.host = Ipv4Addr::LOCALHOST;
                    gathered.wants_folder = false;
                }
                properties.splice(0..0, found.properties);
                gathered.id = found.id;
                gathered.unknown = found.unknown;
                gathered.lacks = found.lacks;
                gathered.warnings = found.warnings;
                for (why, name) in found.idle {
                    gathered.idle.entry(why).or_default().push(name);
                }
                Some(found.lines)
            }
        },
    };
    let (own, properties) = (
        last_of_each(lines.clone().unwrap_or_default()),
        last_of_each(properties),
    );
    let shown = Shown::of(gathered.file.as_deref(), &own, &properties);
    gathered.sort(own, properties)?;
    if lines.is_some() {
        gathered.place(&mut config, flags)?;
    }
    gathered.apply(&mut config, flags)?;
    let admin = gathered.admin(shown, lines.is_some())?;
    let metrics = gathered.metrics(&config)?;
    let mut settings = gathered.finish(config, flags)?;
    settings.admin = admin;
    settings.metrics = metrics;
    Ok(settings)
}

/// Returns the defaults of the binary without a file and outside an image.
pub(crate) fn without_configuration() -> Config {
    let mut config = Config::default();
    config.address = DEFAULT_ADDRESS;
    // The binary has no call that reads the journal.
    config.journal = JournalMode::Off;
    config
}

/// Returns the defaults of the binary with a `zoo.cfg`.
pub(crate) fn with_zoo_cfg() -> Config {
    let mut config = Config::like_zoo_cfg();
    config.address = DEFAULT_ADDRESS;
    config
}

fn arguments_as_lines(arguments: &[String]) -> Result<Vec<Given>, Refusal> {
    let names = ["clientPort", "dataDir", "tickTime", "maxClientCnxns"];
    if !(2..=names.len()).contains(&arguments.len()) {
        return Err(Refusal::Whole(String::from(
            "expected FILE, or PORT DIR [TICKTIME [MAXCNXNS]]",
        )));
    }
    Ok(names
        .iter()
        .zip(arguments)
        .map(|(name, value)| Given {
            name: String::from(*name),
            value: value.clone(),
            origin: Origin::CommandLine,
        })
        .collect())
}

/// Drops all but the last setting of each name, as Java's `Properties` do.
fn last_of_each(given: Vec<Given>) -> Vec<Given> {
    let mut last: Vec<Given> = Vec::new();
    for given in given {
        last.retain(|earlier| earlier.name != given.name);
        last.push(given);
    }
    last
}

/// Settings from all sources, sorted by their effect.
struct Gathered {
    file: Option<PathBuf>,
    /// Host of a client port without a host.
    host: Ipv4Addr,
    /// Whether a `dataDir` and a port are required, as in ZooKeeper.
    wants_folder: bool,
    /// Keys that have an effect, with their values.
    honoured: Vec<(Key, Given)>,
    servers: Vec<Given>,
    auth_providers: bool,
    /// Number of the server if no file `myid` has it.
    id: Option<Given>,
    /// Number of this process among the members of the ensemble that it serves.
    own_member: u8,
    lacks: Vec<String>,
    idle: BTreeMap<Why, Vec<String>>,
    unknown: Vec<String>,
    warnings: Vec<String>,
    /// Lines `group.N` and `weight.N`.
    hierarchy: Vec<Given>,
    /// Whether `oraclePath` is set, with which ZooKeeper reads no groups.
    has_oracle: bool,
    many_addresses: bool,
    uses_netty: bool,
    port_unification: Option<(Given, &'static str)>,
}

impl Default for Gathered {
    fn default() -> Self {
        Self {
            file: None,
            host: Ipv4Addr::UNSPECIFIED,
            wants_folder: true,
            honoured: Vec::new(),
            servers: Vec::new(),
            auth_providers: false,
            id: None,
            own_member: 1,
            lacks: Vec::new(),
            idle: BTreeMap::new(),
            unknown: Vec::new(),
            warnings: Vec::new(),
            hierarchy: Vec::new(),
            has_oracle: false,
            many_addresses: false,
            uses_netty: false,
            port_unification: None,
        }
    }
}

impl Gathered {
    fn sort(&mut self, lines: Vec<Given>, properties: Vec<Given>) -> Result<(), Refusal> {
        for property in properties {
            // A line X of zoo.cfg sets the system property zookeeper.X once more, unless X is a key of its own:
            // QuorumPeerConfig.parseProperties.
            let name = property.name.strip_prefix("zookeeper.");
            let line = lines.iter().find(|line| Some(line.name.as_str()) == name);
            let is_file_key = |line: &Given| {
                keys::in_file(&line.name).is_some_and(|key| key.place == Place::File)
            };
            if line.is_some_and(|line| !is_file_key(line)) {
                continue;
            }
            match keys::as_property(&property.name) {
                Some(key) => self.take(key, property)?,
                None if keys::in_file(name.unwrap_or_default()).is_some() => {
                    self.unknown
                        .push(format!("{} (only in a zoo.cfg)", property.name));
                }
                None if name.is_some() => self.unknown.push(property.name),
                // Any other property is for Java or its libraries.
                None => {}
            }
        }
        for line in lines {
            match keys::in_file(&line.name) {
                Some(key) => self.take(key, line)?,
                None => {
                    let hint = match keys::as_property(&line.name) {
                        Some(key) if key.place == Place::Jvm => " (only as a system property)",
                        Some(_) => " (in a zoo.cfg without the `zookeeper.`)",
                        None => "",
                    };
                    self.unknown.push(format!("{}{hint}", line.name));
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, key: Key, given: Given) -> Result<(), Refusal> {
        if let Some(reason) = key.check.refusal(&given.value) {
            return Err(Refusal::value(&given, reason));
        }
        match key.effect {
            Effect::Reads(Own::Server) => self.servers.push(given),
            Effect::Reads(Own::AuthProvider) => {
                self.auth_providers = true;
                self.has_no_effect(Why::Sasl, &given);
            }
            Effect::Sets(_) | Effect::Reads(_) => self.honoured.push((key, given)),
            Effect::Nothing(why) => {
                self.has_no_effect(why, &given);
                self.note(key, given);
            }
            Effect::Refused(When::Always, why) => self.lack(&given, why),
            Effect::Refused(_, _) if !is_true(&given.value) => {}
            Effect::Refused(When::True, why) => self.lack(&given, why),
            Effect::Refused(When::TrueWithNetty, why) => {
                self.port_unification = Some((given, why));
            }
        }
        Ok(())
    }

    fn has_no_effect(&mut self, why: Why, given: &Given) {
        if !matches!(given.origin, Origin::ImageDefault(_)) {
            let names = self.idle.entry(why).or_default();
            if !names.iter().any(|name| name == given.label()) {
                names.push(String::from(given.label()));
            }
        }
    }

    /// Records a setting that has no effect of its own but decides whether ZooKeeper starts.
    fn note(&mut self, key: Key, given: Given) {
        match key.name {
            "group*" | "weight*" => self.hierarchy.push(given),
            "oraclePath" => self.has_oracle = true,
            "serverCnxnFactory" => self.uses_netty = given.value.contains("Netty"),
            // Only the property counts: QuorumPeerConfig does not pass the line on.
            "multiAddress.enabled" if key.place == Place::Both => {
                self.many_addresses = is_true(&given.value);
            }
            _ => {}
        }
    }

    fn lack(&mut self, given: &Given, why: &str) {
        let Given {
            name,
            value,
            origin,
        } = given;
        self.lacks.push(format!("{origin}: {name}={value} ({why})"));
    }

    /// Returns the value of a key that has an effect.
    fn given(&self, name: &str) -> Option<&Given> {
        debug_assert!(keys::all().any(|key| key.name == name), "{name} is no key");
        let mut honoured = self.honoured.iter();
        honoured.find_map(|(key, given)| (key.name == name).then_some(given))
    }

    /// Sets the address, and checks that the configuration is one server: `QuorumPeerConfig.setupQuorumPeerConfig`.
    fn place(&mut self, config: &mut Config, flags: &Serve) -> Result<(), Refusal> {
        let is_optional = !self.wants_folder || flags.places_state();
        let data_dir = self
            .given("dataDir")
            .map(|given| PathBuf::from(&given.value));
        if data_dir.is_none() && !is_optional {
            let reason = "dataDir is not set".to_owned();
            return Err(match &self.file {
                Some(path) => Refusal::File {
                    path: path.clone(),
                    reason,
                },
                None => Refusal::Whole(reason),
            });
        }
        let id = self.id(data_dir.as_deref())?;
        self.check_folders()?;
        let members = self.members()?;
        self.check_members(&members, flags)?;

        let fixed = self.fixed_address()?;
        let own = members.iter().find(|member| Some(member.id) == id);
        let address = match (fixed, own.and_then(|member| member.client)) {
            (Some(fixed), Some(client)) => {
                let names_host = self.given("clientPortAddress").is_some();
                let agree = if fixed.ip().is_unspecified() || !names_host {
                    fixed.port() == client.port()
                } else {
                    fixed == client
                };
                if !agree {
                    return Err(Refusal::Whole(format!(
                        "clientPort is {fixed}, but the server line has {client}"
                    )));
                }
                Some(client)
            }
            (fixed, client) => client.or(fixed),
        };
        let makes_ensemble = flags.members_from_config && members.len() > 1;
        let is_needed = self.wants_folder && !makes_ensemble;
        if address.is_none() && !flags.settings.has("address") && is_needed {
            self.lacks.push(String::from(
                "no clientPort (ZooKeeper would start without a listener)",
            ));
        }
        config.address = address.unwrap_or((self.host, CLIENT_PORT).into());
        if makes_ensemble {
            self.place_members(config, id, members)?;
        }
        Ok(())
    }

    fn fixed_address(&self) -> Result<Option<SocketAddr>, Refusal> {
        let host = self.given("clientPortAddress");
        let Some(port) = self.given("clientPort") else {
            return match host {
                None => Ok(None),
                Some(given) => Err(Refusal::value(given, "is set, but clientPort is not")),
            };
        };
        let number = port
            .value
            .parse::<i32>()
            .ok()
            .and_then(|number| u16::try_from(number).ok())
            .ok_or_else(|| Refusal::value(port, "is out of range"))?;
        match host {
            None => Ok(Some((self.host, number).into())),
            Some(given) => members::resolve(&given.value, number)
                .map(Some)
                .map_err(|reason| Refusal::value(given, reason)),
        }
    }

    /// Returns the number of the server: `QuorumPeerConfig.setupMyId`.
    fn id(&self, data_dir: Option<&Path>) -> Result<Option<i64>, Refusal> {
        let path = data_dir.map(|folder| folder.join("myid"));
        let given = if let Some(path) = path.filter(|path| path.is_file()) {
            let text = std::fs::read_to_string(&path).map_err(|error| Refusal::File {
                path: path.clone(),
                reason: error.to_string(),
            })?;
            Given {
                name: "myid".to_owned(),
                value: String::from(text.lines().next().unwrap_or_default()),
                origin: Origin::Line {
                    file: path.display().to_string().into(),
                    line: 1,
                },
            }
        } else {
            match &self.id {
                Some(given) => given.clone(),
                None => return Ok(None),
            }
        };
        match given.value.parse() {
            Ok(id) => Ok(Some(id)),
            Err(_) => Err(Refusal::value(&given, "is not a number")),
        }
    }

    /// Sets everything but the address and the data folder.
    fn apply(&mut self, config: &mut Config, flags: &Serve) -> Result<(), Refusal> {
        match self.port_unification.take() {
            Some((given, why)) if self.uses_netty => self.lack(&given, why),
            Some((given, _)) => self.has_no_effect(Why::Tls, &given),
            None => {}
        }
        self.apply_keys(config, flags, false)?;
        self.required_schemes(config)
    }

    /// Applies the keys of each setting that has no flag here: those of the data folder, or all others.
    fn apply_keys(
        &mut self,
        config: &mut Config,
        flags: &Serve,
        of_data_dir: bool,
    ) -> Result<(), Refusal> {
        let settings = SETTINGS.iter().filter(|setting| {
            setting.needs_data_dir == of_data_dir && !flags.settings.has(setting.name)
        });
        for key in settings.flat_map(|setting| setting.keys) {
            let mut honoured = self.honoured.iter();
            let found =
                honoured.find(|(other, _)| other.name == key.name && other.place == key.place);
            let Some((_, given)) = found.cloned() else {
                continue;
            };
            match key.apply(config, &given.value) {
                Ok(()) => {}
                Err(BadValue::Ignored(reason)) => self.warnings.push(format!(
                    "{}: {}={}: {reason}",
                    given.origin, given.name, given.value
                )),
                // Of the refused values, only those of digestAlg are names of algorithms.
                Err(BadValue::Refused(_)) if digest::is_only_in_java(&given.value) => self.lack(
                    &given,
                    "minikeeper has only SHA-1, SHA-256, SHA-384 and SHA-512",
                ),
                Err(BadValue::Refused(reason)) => return Err(Refusal::value(&given, reason)),
            }
        }
        Ok(())
    }

    /// Sets the required schemes: `AuthenticationHelper.initConfigurations` and `validateConfiguredProperties`.
    fn required_schemes(&mut self, config: &mut Config) -> Result<(), Refusal> {
        let Some(enforced) = self.given("enforce.auth.enabled").cloned() else {
            return Ok(());
        };
        if !is_true(&enforced.value) {
            return Ok(());
        }
        let Some(list) = self.given("enforce.auth.schemes").cloned() else {
            return Err(Refusal::value(&enforced, "needs enforce.auth.schemes"));
        };
        for scheme in list.value.split(',').map(zoo_cfg::trim) {
            if scheme == "ip" || (scheme == "digest" && config.digest_auth) {
                config.required_auth_schemes.push(String::from(scheme));
            } else if self.auth_providers {
                self.lack(&list, "minikeeper has only the schemes ip and digest");
            } else {
                return Err(Refusal::value(
                    &list,
                    format!("the scheme {scheme:?} is not available"),
                ));
            }
        }
        Ok(())
    }

    /// Applies the flags, checks the session timeouts, and collects the warnings.
    fn finish(mut self, mut config: Config, flags: &Serve) -> Result<Settings, Refusal> {
        self.check_times(&config, flags)?;
        flags.settings.apply(&mut config)?;
        self.apply_storage(&mut config, flags)?;
        self.describe_members(&config, flags);
        let mut warnings = std::mem::take(&mut self.warnings);

        if !self.idle.is_empty() {
            let groups: Vec<_> = self
                .idle
                .iter()
                .map(|(why, names)| format!("{} ({})", names.join(", "), why.text()))
                .collect();
            warnings.push(format!("settings without effect: {}", groups.join("; ")));
        }
        if !self.unknown.is_empty() {
            warnings.push(format!(
                "unknown settings, ignored: {}",
                self.unknown.join(", ")
            ));
        }
        if !self.lacks.is_empty() {
            if !flags.ignore_unsupported {
                return Err(Refusal::Unsupported { lacks: self.lacks });
            }
            warnings.push(format!("not supported, ignored: {}", self.lacks.join("; ")));
        }
        Ok(Settings {
            config,
            own_member: self.own_member,
            super_user: flags.super_user.clone(),
            admin: None,
            metrics: None,
            warnings,
        })
    }

    /// Refuses the first of these keys that a file or variable sets.
    fn blame(&self, suspects: &[&str], reason: String) -> Refusal {
        match suspects.iter().find_map(|name| self.given(name)) {
            Some(given) => Refusal::value(given, reason),
            None => Refusal::Whole(reason),
        }
    }

    /// Checks the tick and the session timeouts against each other. Products wrap at 32 bits, as in
    /// `QuorumPeerConfig.parseProperties`.
    fn check_times(&self, config: &Config, flags: &Serve) -> Result<(), Refusal> {
        let number = |setting: &str, key: &str| {
            let flag = flags.settings.get(setting);
            let text = flag.or_else(|| self.given(key).map(|given| given.value.as_str()));
            text.and_then(|text| text.parse::<i32>().ok())
        };
        let explicit = |timeout: Option<i32>| timeout.filter(|&ms| ms != -1);
        let default_tick = i32::try_from(config.tick_time.as_millis()).unwrap_or(i32::MAX);
        let tick = number("tick_time", "tickTime").unwrap_or(default_tick);
        if tick < 1 {
            return Err(self.blame(&["tickTime"], format!("tickTime {tick} is less than 1")));
        }
        let min = explicit(number("min_session_timeout", "minSessionTimeout"));
        let max = explicit(number("max_session_timeout", "maxSessionTimeout"));
        let least = min.unwrap_or(tick.wrapping_mul(2));
        let most = max.unwrap_or(tick.wrapping_mul(20));
        if least > most {
            let suspects = ["minSessionTimeout", "maxSessionTimeout", "tickTime"];
            let reason =
                format!("minSessionTimeout {least} is larger than maxSessionTimeout {most}");
            return Err(self.blame(&suspects, reason));
        }
        Ok(())
    }
}

/// Parses like `Boolean.parseBoolean`.
fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

/// Returns the address on which a server with this environment and no flags listens.
pub(crate) fn address_in(variables: &Variables) -> Result<SocketAddr, Refusal> {
    let flags = Serve {
        // The flags of the running server are unknown; it may have been started with this one.
        ignore_unsupported: true,
        ..Serve::default()
    };
    settle(&Source::Variables, variables, &flags).map(|settings| settings.config.address)
}

mod admin;
mod ensemble;
mod hierarchy;
mod storage;
#[cfg(test)]
mod tests;
