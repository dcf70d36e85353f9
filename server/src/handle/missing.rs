//! Placeholders for features that are switched off: a call does not compile, and the compiler's message names the
//! feature.
//!
//! The compiler checks an unmet bound where it is declared, but a higher-ranked bound only at each call.

/// A feature that is not enabled. This type implements none of the traits here.
#[derive(Debug)]
pub enum NotEnabled {}

#[cfg(not(feature = "tokio-clock"))]
#[diagnostic::on_unimplemented(
    message = "`tokio_clock` needs the feature `tokio-clock` of minikeeper",
    label = "the feature `tokio-clock` of minikeeper is not enabled",
    note = "enable it in Cargo.toml: minikeeper = {{ .., features = [\"tokio-clock\"] }}"
)]
/// Clock that follows tokio's time.
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
/// Reading trees from YAML and writing them as YAML.
///
/// ```compile_fail
/// let tree = minikeeper::Tree::from_yaml("/config: v1");
/// ```
pub trait Yaml {}
