//! Containers: minikeeper's image, and a real ZooKeeper in an image of Debian's packages. No image is pulled.

use std::process::Command;

use libtest_mimic::{Completion, Failed, Trial};
use minikeeper_harness::backend::{
    Backend, BackendError, BackendKind, BackendSource, Capability, Container, Settings,
};
use minikeeper_harness::provision::{DEBIAN, Part};

use super::backends::{completion, has_its_state_after_a_restart, ignored, play};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

pub(super) fn trials() -> Vec<Trial> {
    let trials: [(&str, super::Test); 3] = [
        (
            "a real zookeeper behaves alike in a container and in a process",
            a_real_zookeeper_agrees,
        ),
        ("our own image agrees with embedded", our_image_agrees),
        ("a missing image is reported in one line", no_image),
    ];
    trials
        .into_iter()
        .map(|(name, test)| {
            Trial::ignorable_test(name, move || match engine() {
                Ok(()) => test(),
                Err(why) => ignored(&Part::Docker.missing("a Docker engine", why)),
            })
        })
        .collect()
}

fn a_real_zookeeper_agrees() -> Result<Completion, Failed> {
    build("docker/debian/build", "minikeeper-test-zookeeper")?;
    let image = "minikeeper-test-zookeeper";
    let mut container = Container::start(image, &Settings::default())?;
    has_its_state_after_a_restart(&mut container)?;
    drop(container);
    assert_eq!(containers_of(image)?, "");
    // The same version as a process.
    let process = BackendKind::ZooKeeper(DEBIAN.to_owned());
    let container = BackendKind::Docker(image.to_owned());
    play(&["data", "delete"], process, &container)?;
    assert_eq!(containers_of(image)?, "");
    Ok(Completion::Completed)
}

fn our_image_agrees() -> Result<Completion, Failed> {
    let image = "minikeeper:test";
    build("docker/build", image)?;
    let container = Container::start(image, &Settings::default())?;
    // The container has no state on disk.
    assert!(!container.supports(Capability::Restart));
    assert_eq!(container.version(), BackendKind::Embedded.version());
    drop(container);
    let container = BackendKind::Docker(image.to_owned());
    play(&["data", "delete"], BackendKind::Embedded, &container)?;
    assert_eq!(containers_of(image)?, "");
    Ok(Completion::Completed)
}

fn no_image() -> Result<Completion, Failed> {
    let image = "127.0.0.1:1/missing:0";
    match Container::start(image, &Settings::default()) {
        Ok(_) => Err("it runs".into()),
        Err(error @ (BackendError::Container { .. } | BackendError::Missing(_))) => {
            let text = error.to_string();
            assert!(text.contains(image) && !text.contains('\n'), "{text}");
            Ok(Completion::Completed)
        }
        Err(error) => completion(Err(error)),
    }
}

fn build(script: &str, tag: &str) -> Result<(), Failed> {
    let mut command = Command::new(format!("{ROOT}/{script}"));
    output(command.arg(tag).current_dir(ROOT)).map(drop)
}

fn containers_of(image: &str) -> Result<String, Failed> {
    output(Command::new("docker").args(["ps", "-aq", "--filter", &format!("ancestor={image}")]))
}

fn engine() -> Result<(), String> {
    output(Command::new("docker").args(["info", "--format", "{{.ServerVersion}}"]))
        .map(drop)
        .map_err(|failed| failed.message().unwrap_or("it does not answer").to_owned())
}

fn output(command: &mut Command) -> Result<String, Failed> {
    let output = command.output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        let errors = String::from_utf8_lossy(&output.stderr);
        let line = errors.lines().last().unwrap_or_default();
        Err(format!("{command:?}: {}: {line}", output.status).into())
    }
}
