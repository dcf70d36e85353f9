//! Settings of the AdminServer and of the metrics for Prometheus.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use minikeeper::Config;
use minikeeper::config::{MetricsProvider, Place};
use minikeeper_http::{AdminSettings, MetricsSettings};

use super::{Gathered, Refusal, is_true};
use crate::environment::Given;
use crate::keys;
use crate::members;

/// The texts of a configuration that the AdminServer shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Text of the `zoo.cfg`.
    file: Option<String>,
    /// System properties, with their values.
    properties: Vec<(String, String)>,
}

impl Shown {
    /// Collects what a real server would have: the text of its file, and its system properties.
    pub(super) fn of(file: Option<&Path>, lines: &[Given], properties: &[Given]) -> Self {
        let text = file.and_then(|file| std::fs::read_to_string(file).ok());
        let written = || {
            let lines = lines.iter();
            lines
                .map(|given| format!("{}={}\n", given.name, given.value))
                .collect()
        };
        let mut found = Self {
            file: text.or_else(|| (!lines.is_empty()).then(written)),
            properties: Vec::new(),
        };
        for given in properties {
            found.set(given.name.clone(), &given.value);
        }
        // QuorumPeerConfig.parseProperties makes a system property of every line that is not a key of its own.
        for line in lines {
            let is_own = keys::in_file(&line.name).is_some_and(|key| key.place == Place::File);
            if !is_own {
                found.set(format!("zookeeper.{}", line.name), &line.value);
            }
        }
        found
    }

    fn set(&mut self, name: String, value: &str) {
        self.properties.retain(|(known, _)| *known != name);
        self.properties.push((name, value.to_owned()));
    }
}

impl Gathered {
    /// Returns the settings of the AdminServer, unless it is off. It is on by default with a `zoo.cfg` or an image's
    /// variables, as in ZooKeeper, and off without.
    pub(super) fn admin(
        &self,
        shown: Shown,
        by_default: bool,
    ) -> Result<Option<AdminSettings>, Refusal> {
        let enabled = self.given("admin.enableServer");
        // AdminServerFactory compares with "false" and nothing else.
        let is_on = enabled.map_or(by_default, |given| {
            given.value != "false" && (by_default || is_true(&given.value))
        });
        if !is_on {
            return Ok(None);
        }
        let mut settings = AdminSettings::default();
        settings.address = self.http_address(
            "admin.serverAddress",
            "admin.serverPort",
            settings.address.port(),
        )?;
        if let Some(ms) = self.milliseconds("admin.idleTimeout") {
            settings.idle_timeout = ms;
        }
        if let Some(ms) = self.milliseconds("admin.rateLimiterIntervalInMS") {
            settings.rate_limiter_interval = ms;
        }
        if let Some(given) = self.given("admin.commandURL") {
            settings.command_url = format!("/{}", given.value.trim_matches('/'));
        }
        let is_on = |name| self.given(name).is_none_or(|given| is_true(&given.value));
        settings.snapshot_enabled = is_on("admin.snapshot.enabled");
        settings.restore_enabled = is_on("admin.restore.enabled");
        settings.serializes_last_zxid = is_on("serializeLastProcessedZxid.enabled");
        settings.initial_configuration = shown.file;
        settings.system_properties = shown.properties;
        Ok(Some(settings))
    }

    /// Returns the settings of the metrics, if their provider is that for Prometheus.
    pub(super) fn metrics(&self, config: &Config) -> Result<Option<MetricsSettings>, Refusal> {
        if config.metrics_provider != MetricsProvider::Prometheus {
            return Ok(None);
        }
        let mut settings = MetricsSettings::default();
        settings.address = self.http_address(
            "metricsProvider.httpHost",
            "metricsProvider.httpPort",
            settings.address.port(),
        )?;
        let jvm = self.given("metricsProvider.exportJvmInfo");
        settings.export_jvm_info = jvm.is_none_or(|given| is_true(&given.value));
        Ok(Some(settings))
    }

    fn http_address(&self, host: &str, port: &str, default: u16) -> Result<SocketAddr, Refusal> {
        // Integer.getInteger: text that is not a number counts as not set.
        let number = self
            .given(port)
            .and_then(|given| Some((given, given.value.parse::<i64>().ok()?)));
        let port = match number {
            None => default,
            Some((given, number)) => {
                u16::try_from(number).map_err(|_| Refusal::value(given, "is out of range"))?
            }
        };
        match self.given(host) {
            None => Ok(SocketAddr::new(IpAddr::V4(self.host), port)),
            Some(given) => {
                members::resolve(&given.value, port).map_err(|reason| Refusal::value(given, reason))
            }
        }
    }

    fn milliseconds(&self, name: &str) -> Option<Duration> {
        let ms = self.given(name)?.value.parse().ok()?;
        Some(Duration::from_millis(ms))
    }
}
