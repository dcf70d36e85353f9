//! Combines all sources of settings into one [`Config`], or refuses them with one line.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use minikeeper::{Config, config::FourLetterWords, journal::JournalMode};
use thiserror::Error;

use crate::digest;
use crate::environment::{self, Configured, Given, Origin, Variables};
use crate::flags::Serve;
use crate::keys::{self, Check, Effect, Key, Place, Setting, When, Why};
use crate::members::{self, Member, Reading};
use crate::zoo_cfg;

/// Default port of ZooKeeper.
pub(crate) const CLIENT_PORT: u16 = 2181;

/// Configuration of a server, and the warnings about it.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// `user:password` of the super user, which overrides the digest in `config`.
    pub(crate) super_user: Option<String>,
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
pub(crate) fn settle(
    source: &Source,
    variables: &Variables,
    flags: &Serve,
) -> Result<Settings, Refusal> {
    let mut gathered = Gathered::default();
    let mut properties = environment::system_properties(variables);
    let mut config = Config::like_zoo_cfg();
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
                config = of_the_binary();
                None
            }
            Some(Configured::File(path)) => {
                let lines = zoo_cfg::read(&path)?;
                gathered.file = Some(path);
                Some(lines)
            }
            Some(Configured::Variables(found)) => {
                if !found.is_image {
                    config = of_the_binary();
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
    config.address = SocketAddr::from((Ipv4Addr::LOCALHOST, CLIENT_PORT));
    gathered.sort(
        last_of_each(lines.clone().unwrap_or_default()),
        last_of_each(properties),
    )?;
    if lines.is_some() {
        gathered.place(&mut config, flags)?;
    }
    gathered.apply(&mut config)?;
    gathered.finish(config, flags)
}

/// Defaults of the binary without a file and outside an image.
fn of_the_binary() -> Config {
    let mut config = Config::default();
    // The binary has no call that reads the journal.
    config.journal = JournalMode::Off;
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
    honoured: BTreeMap<Setting, Given>,
    servers: Vec<Given>,
    auth_providers: bool,
    /// Number of the server if no file `myid` has it.
    id: Option<Given>,
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
            honoured: BTreeMap::new(),
            servers: Vec::new(),
            auth_providers: false,
            id: None,
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

    fn take(&mut self, key: &Key, given: Given) -> Result<(), Refusal> {
        if let Some(reason) = refused_value(key, &given) {
            return Err(Refusal::value(&given, reason));
        }
        match key.effect {
            Effect::Sets(Setting::Server) => self.servers.push(given),
            Effect::Sets(Setting::AuthProvider) => {
                self.auth_providers = true;
                self.has_no_effect(Why::Sasl, &given);
            }
            Effect::Sets(setting) => {
                self.honoured.insert(setting, given);
            }
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
    fn note(&mut self, key: &Key, given: Given) {
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

    fn value(&self, setting: Setting) -> Option<&str> {
        self.honoured
            .get(&setting)
            .map(|given| given.value.as_str())
    }

    /// Returns a number of `zoo.cfg`, which is already checked.
    fn int(&self, setting: Setting) -> Option<i32> {
        self.value(setting)?.parse().ok()
    }

    /// Returns a number as `Integer.getInteger` and `Long.getLong` read it: other text counts as not set.
    fn decoded(&self, setting: Setting) -> Option<i64> {
        decode(self.value(setting)?)
    }

    fn flag(&self, setting: Setting) -> Option<bool> {
        self.value(setting).map(is_true)
    }

    /// Sets the address, and checks that the configuration is one server: `QuorumPeerConfig.setupQuorumPeerConfig`.
    fn place(&mut self, config: &mut Config, flags: &Serve) -> Result<(), Refusal> {
        let is_optional = !self.wants_folder || flags.places_state();
        let data_dir = self.value(Setting::DataDir).map(PathBuf::from);
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
        self.check_members(&members)?;

        let fixed = self.fixed_address()?;
        let own = members.iter().find(|member| Some(member.id) == id);
        let address = match (fixed, own.and_then(|member| member.client)) {
            (Some(fixed), Some(client)) => {
                let names_host = self.honoured.contains_key(&Setting::ClientPortAddress);
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
        if address.is_none() && flags.listen.is_none() && self.wants_folder {
            self.lacks.push(String::from(
                "no clientPort (ZooKeeper would start without a listener)",
            ));
        }
        config.address = address.unwrap_or((self.host, CLIENT_PORT).into());
        Ok(())
    }

    fn fixed_address(&self) -> Result<Option<SocketAddr>, Refusal> {
        let host = self.honoured.get(&Setting::ClientPortAddress);
        let Some(port) = self.honoured.get(&Setting::ClientPort) else {
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

    fn members(&mut self) -> Result<Vec<Member>, Refusal> {
        if let Some(dynamic) = self.honoured.get(&Setting::DynamicConfigFile) {
            if let Some(line) = self.servers.iter().chain(&self.hierarchy).next() {
                return Err(Refusal::value(line, "must be in the dynamic file"));
            }
            let path = PathBuf::from(&dynamic.value);
            for given in last_of_each(zoo_cfg::read(&path)?) {
                match keys::in_file(&given.name) {
                    Some(key) if ["server.*", "group*", "weight*"].contains(&key.name) => {
                        self.take(key, given)?;
                    }
                    _ => {
                        return Err(Refusal::value(
                            &given,
                            "does not belong in the dynamic file",
                        ));
                    }
                }
            }
        }
        let reading = Reading {
            host: self.host,
            many_addresses: self.many_addresses,
        };
        self.servers
            .iter()
            .map(|given| {
                members::parse(&given.name, &given.value, reading)
                    .map_err(|reason| Refusal::value(given, reason))
            })
            .collect()
    }

    /// Checks the server lines: `QuorumPeerConfig.parseDynamicConfig` and `isDistributed`.
    fn check_members(&mut self, members: &[Member]) -> Result<(), Refusal> {
        if !self.has_oracle {
            hierarchy::check(&self.hierarchy, members)?;
        }
        let voting = members.iter().filter(|member| member.votes).count();
        let observing = members.len() - voting;
        let dissent = self
            .honoured
            .get(&Setting::StandaloneEnabled)
            .filter(|given| !is_true(&given.value))
            .cloned();
        match (voting, dissent) {
            (0, Some(given)) => Err(Refusal::value(&given, "needs at least one server line")),
            (0 | 1, None) if observing > 0 => Err(Refusal::Whole(String::from(
                "observers need an ensemble; ZooKeeper refuses this too",
            ))),
            (0 | 1, None) => Ok(()),
            (1, Some(given)) => {
                self.lack(&given, "a server line makes it an ensemble of one");
                Ok(())
            }
            (several, _) => {
                let variable = self.servers.first().map(|given| &given.origin);
                let variable = variable
                    .filter(|origin| matches!(origin, Origin::Variable(_) | Origin::Words(_)))
                    .map(|origin| format!("{origin}: "));
                self.lacks.push(format!(
                    "{}{several} voting members (minikeeper is one server, not an ensemble)",
                    variable.unwrap_or_default()
                ));
                Ok(())
            }
        }
    }

    /// Sets everything but the address.
    fn apply(&mut self, config: &mut Config) -> Result<(), Refusal> {
        match self.port_unification.take() {
            Some((given, why)) if self.uses_netty => self.lack(&given, why),
            Some((given, _)) => self.has_no_effect(Why::Tls, &given),
            None => {}
        }
        if let Some(backlog) = self.int(Setting::ListenBacklog) {
            // Java's ServerSocket.bind takes 50 for every value below 1.
            config.listen_backlog = if backlog < 1 { 50 } else { backlog };
        }
        if let Some(limit) = self.int(Setting::MaxClientConnections) {
            config.max_client_connections = usize::try_from(limit).unwrap_or(0);
        }
        if let Some(limit) = self.decoded(Setting::MaxConnections) {
            config.max_connections = usize::try_from(limit).unwrap_or(0);
        }
        if let Some(Ok(ms)) = self.decoded(Setting::SessionlessTimeout).map(u64::try_from) {
            config.sessionless_timeout = Duration::from_millis(ms);
        }
        if let Some(bytes) = self.decoded(Setting::MaxFrame) {
            config.max_frame = usize::try_from(bytes).unwrap_or(0);
        }
        if let Some(list) = self.value(Setting::FourLetterWords) {
            config.four_letter_words = four_letter_words(list);
        }
        // FourLetterCommands.isEnabled compares with "true" and nothing else.
        if self.value(Setting::ReadOnlyMode) == Some("true")
            && let FourLetterWords::Only(words) = &mut config.four_letter_words
        {
            words.push("isro".to_owned());
        }
        for (setting, field) in [
            (Setting::ExtendedTypes, &mut config.extended_types),
            (Setting::EnforceQuota, &mut config.enforce_quota),
            (Setting::DigestAuth, &mut config.digest_auth),
            (Setting::Reconfig, &mut config.reconfig_enabled),
        ] {
            *field = self.flag(setting).unwrap_or(*field);
        }
        if let Some(word) = self.value(Setting::SkipAcl) {
            config.skip_acl = word == "yes";
        }
        if let Some(Ok(ms)) = self
            .decoded(Setting::ContainerCheckInterval)
            .map(u64::try_from)
        {
            config.container_check_interval = Duration::from_millis(ms);
        }
        if let Some(limit) = self.decoded(Setting::ContainerMaxPerMinute) {
            config.container_max_per_minute = u32::try_from(limit).unwrap_or(u32::MAX);
        }
        if let Some(ms) = self.decoded(Setting::ContainerMaxNeverUsed) {
            config.container_max_never_used = Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        }
        self.apply_digest(config)?;
        self.required_schemes(config)
    }

    /// Sets the super user and the hash function of the `digest` scheme.
    fn apply_digest(&mut self, config: &mut Config) -> Result<(), Refusal> {
        config.super_digest = self
            .value(Setting::SuperDigest)
            .filter(|digest| !digest.is_empty())
            .map(String::from);
        if let Some(given) = self.honoured.get(&Setting::DigestAlgorithm).cloned() {
            match digest::algorithm(&given.value) {
                digest::Found::Here(algorithm) => config.digest_algorithm = algorithm,
                digest::Found::OnlyInJava => self.lack(
                    &given,
                    "minikeeper has only SHA-1, SHA-256, SHA-384 and SHA-512",
                ),
                digest::Found::Nowhere => {
                    return Err(Refusal::value(&given, "is not a digest algorithm"));
                }
            }
        }
        Ok(())
    }

    /// Sets the required schemes: `AuthenticationHelper.initConfigurations` and `validateConfiguredProperties`.
    fn required_schemes(&mut self, config: &mut Config) -> Result<(), Refusal> {
        let Some(enforced) = self.honoured.get(&Setting::EnforceAuth).cloned() else {
            return Ok(());
        };
        if !is_true(&enforced.value) {
            return Ok(());
        }
        let Some(list) = self.honoured.get(&Setting::EnforceAuthSchemes).cloned() else {
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
        if let Some(address) = flags.listen {
            config.address = address;
        }
        if let Some(limit) = flags.max_client_connections {
            config.max_client_connections = limit;
        }
        if let Some(bytes) = flags.jute_max_buffer {
            config.max_frame = bytes;
        }
        if let Some(list) = &flags.four_letter_words {
            config.four_letter_words = four_letter_words(list);
        }
        if let Some(on) = flags.extended_types {
            config.extended_types = on;
        }
        if let Some(digest) = &flags.super_digest {
            config.super_digest = Some(digest.clone());
        }
        self.times(&mut config, flags)?;
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.apply_storage(&mut config.storage, flags)?);

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
            super_user: flags.super_user.clone(),
            warnings,
        })
    }

    /// Refuses the first of these settings that a file or variable sets.
    fn blame(&self, suspects: &[Setting], reason: String) -> Refusal {
        match suspects
            .iter()
            .find_map(|setting| self.honoured.get(setting))
        {
            Some(given) => Refusal::value(given, reason),
            None => Refusal::Whole(reason),
        }
    }

    /// Sets the tick and the session timeouts. Products wrap at 32 bits, as in `QuorumPeerConfig.parseProperties`.
    fn times(&self, config: &mut Config, flags: &Serve) -> Result<(), Refusal> {
        let given = |flag: Option<i32>, setting| flag.or_else(|| self.int(setting));
        let explicit = |timeout: Option<i32>| timeout.filter(|&ms| ms != -1);
        let default_tick = i32::try_from(config.tick_time.as_millis()).unwrap_or(i32::MAX);
        let tick = given(flags.tick_time, Setting::TickTime).unwrap_or(default_tick);
        if tick < 1 {
            return Err(self.blame(
                &[Setting::TickTime],
                format!("tickTime {tick} is less than 1"),
            ));
        }
        let min = explicit(given(flags.min_session_timeout, Setting::MinSessionTimeout));
        let max = explicit(given(flags.max_session_timeout, Setting::MaxSessionTimeout));
        let least = min.unwrap_or(tick.wrapping_mul(2));
        let most = max.unwrap_or(tick.wrapping_mul(20));
        if least > most {
            let suspects = [
                Setting::MinSessionTimeout,
                Setting::MaxSessionTimeout,
                Setting::TickTime,
            ];
            let reason =
                format!("minSessionTimeout {least} is larger than maxSessionTimeout {most}");
            return Err(self.blame(&suspects, reason));
        }
        config.tick_time = milliseconds(tick);
        config.min_session_timeout = min.map(milliseconds);
        config.max_session_timeout = max.map(milliseconds);
        Ok(())
    }
}

/// Converts a span of Java, which can be zero or negative; the shortest span here is a millisecond.
fn milliseconds(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0).max(1))
}

/// Parses like `Boolean.parseBoolean`.
fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

/// Parses like `Integer.decode` and `Long.decode`: a sign, then `0x`, `#` or a leading zero for other bases.
fn decode(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = ["0x", "0X", "#"]
        .iter()
        .find_map(|prefix| digits.strip_prefix(prefix));
    let (digits, base) = match hexadecimal {
        Some(digits) => (digits, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let size = i64::from_str_radix(digits, base).ok()?;
    Some(if negative { -size } else { size })
}

/// Parses a list of four-letter words like `FourLetterCommands.isEnabled`.
fn four_letter_words(list: &str) -> FourLetterWords {
    let words: Vec<_> = list.split(',').map(zoo_cfg::trim).collect();
    if words.contains(&"*") {
        return FourLetterWords::All;
    }
    FourLetterWords::Only(
        words
            .into_iter()
            .filter(|word| !word.is_empty())
            .map(String::from)
            .collect(),
    )
}

/// Returns the reason if ZooKeeper does not start with this value.
fn refused_value(key: &Key, given: &Given) -> Option<String> {
    let value = given.value.as_str();
    let no = |right: bool, wanted: &str| (!right).then(|| format!("must be {wanted}"));
    match key.check {
        Check::Any => None,
        Check::Bool => no(
            is_true(value) || value.eq_ignore_ascii_case("false"),
            "true or false",
        ),
        Check::Int => no(value.parse::<i32>().is_ok(), "a whole number of 32 bits"),
        Check::Long => no(value.parse::<i64>().is_ok(), "a whole number"),
        Check::Real => no(value.parse::<f64>().is_ok(), "a number"),
        Check::Hex => no(
            i64::from_str_radix(value, 16).is_ok(),
            "a hexadecimal number",
        ),
        Check::OneOf(words) => no(
            words.iter().any(|word| value.eq_ignore_ascii_case(word)),
            &words.join(" or "),
        ),
        Check::Class(classes) => no(classes.contains(&value), "one of ZooKeeper's own classes"),
        Check::AtLeast(least) => no(
            decode(value).is_none_or(|number| number >= least),
            &format!("at least {least}"),
        ),
        Check::NotZero => no(decode(value) != Some(0), "other than 0"),
    }
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

mod hierarchy;
mod storage;
#[cfg(test)]
mod tests;
