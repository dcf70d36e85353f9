//! Actions on the members of an ensemble.

use crate::control::{Effects, ListenerId};
use crate::handle::Server;
use crate::handle::start_error::{StartError, port_error};
use crate::keeper::Input;
use crate::protocol::{EnsembleAction, EnsembleError, MemberId};

/// Error of an action on an ensemble.
///
/// ```
/// use minikeeper::ensemble::{EnsembleAction, MemberId};
///
/// let ensemble = minikeeper::Ensemble::start(3)?;
/// let refused = ensemble.apply(EnsembleAction::Stop { member: MemberId(4) });
/// assert_eq!(refused.unwrap_err().to_string(), "the ensemble has no member 4");
/// # Ok::<(), minikeeper::StartError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// The action is not possible.
    #[error(transparent)]
    Ensemble(#[from] EnsembleError),
    /// The member cannot listen.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Performs an action on the members of a server. All actions of the API come here.
pub(super) fn apply(server: &Server, action: EnsembleAction) -> Result<Effects, ApplyError> {
    let engine = &server.shared.engine;
    engine.with_keeper(|keeper| keeper.members().check(action))?;
    let to = |member: MemberId| move |listener_id: &ListenerId| listener_id.member == member;
    // The lock orders concurrent stops and starts: one ends before the other begins.
    let mut ports = server.ports();
    match action {
        EnsembleAction::Stop { member } => {
            let effects = server.effects_of(Input::Ensemble(action));
            ports.shut(to(member));
            Ok(effects)
        }
        EnsembleAction::Start { member } => {
            ports.open(to(member)).map_err(port_error)?;
            Ok(server.effects_of(Input::Ensemble(action)))
        }
        EnsembleAction::Partition { .. }
        | EnsembleAction::Heal { .. }
        | EnsembleAction::Elect { .. }
        | EnsembleAction::Lag { .. }
        | EnsembleAction::Release { .. }
        | EnsembleAction::CatchUp { .. }
        | EnsembleAction::LoseQuorum
        | EnsembleAction::RegainQuorum => Ok(server.effects_of(Input::Ensemble(action))),
    }
}
