//! Drives the binary `minikeeper` as a user does: by its arguments, its environment, its output and signals.

mod binary;
mod client;
mod faults;
mod folders;
mod health;
mod precedence;
mod refusals;
mod seed;
mod serving;
mod storage;
mod tools;

#[test]
fn both_dockerfiles_make_the_same_image() {
    let image = |text: &str| -> String {
        let (_, settings) = text
            .split_once("\nENV ZOO_")
            .expect("it has the image's variables");
        settings
            .lines()
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(
        image(include_str!("../../../../docker/Dockerfile")),
        image(include_str!("../../../../docker/Dockerfile.multistage"))
    );
}
