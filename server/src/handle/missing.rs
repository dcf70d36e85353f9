//! Features that are switched off: a call of what they add does not compile, and the compiler's message names the feature.
//!
//! A bound that is never met is an error where it stands, unless it is a higher-ranked one: that is checked at each call.

/// A feature that is not enabled: it has none of the traits here.
#[derive(Debug)]
pub enum NotEnabled {}

#[cfg(not(feature = "tokio-clock"))]
#[diagnostic::on_unimplemented(
    message = "`tokio_clock` needs the feature `tokio-clock` of minikeeper",
    label = "the feature `tokio-clock` of minikeeper is not enabled",
    note = "enable it in Cargo.toml: minikeeper = {{ .., features = [\"tokio-clock\"] }}"
)]
/// Whether there is a clock that follows tokio's time.
///
/// ```compile_fail
/// let builder = minikeeper::Server::builder().without_listener().tokio_clock();
/// ```
pub trait TokioClock {}

#[cfg(not(feature = "yaml"))]
#[diagnostic::on_unimplemented(
    message = "YAML needs the feature `yaml` of minikeeper",
    label = "the feature `yaml` of minikeeper is not enabled",
    note = "enable it in Cargo.toml: minikeeper = {{ .., features = [\"yaml\"] }}"
)]
/// Whether trees are read from YAML and written to it.
///
/// ```compile_fail
/// let tree = minikeeper::Tree::from_yaml("/config: v1");
/// ```
pub trait Yaml {}
