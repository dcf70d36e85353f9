//! Drives the binary `minikeeper` as a user does: by its arguments, its environment, its output and signals.

mod binary;
mod client;
mod ctl;
mod ensemble;
mod faults;
mod folders;
mod health;
mod monitoring;
mod pages;
mod precedence;
mod refusals;
mod seed;
mod serving;
mod storage;
mod tools;

/// The variables that the image sets.
fn variables_of_the_image() -> Vec<(&'static str, &'static str)> {
    let text = include_str!("../../../../docker/Dockerfile");
    let (_, behind) = text.split_once("\nENV ").expect("it sets variables");
    let (variables, _) = behind.split_once("\n\n").expect("more follows");
    let lines = variables
        .lines()
        .map(|line| line.trim().trim_end_matches(" \\"));
    lines
        .map(|line| line.split_once('=').expect("each has a value"))
        .collect()
}

#[test]
fn the_images_variables_make_the_official_images_server() {
    let check = |more: &[(&str, &str)], expected: &[&str]| {
        let mut variables = variables_of_the_image();
        variables.extend([
            ("ZOO_4LW_COMMANDS_WHITELIST", "conf"),
            ("ZOO_PORT_NUMBER", "0"),
        ]);
        variables.extend(more);
        let server = binary::Serving::start(&["--in-memory"], &variables);
        assert!(
            server.greeting[0].contains(" on 0.0.0.0:"),
            "{:?}",
            server.greeting
        );
        let conf = binary::ask(server.address(), "conf");
        for line in expected {
            assert!(
                conf.lines().any(|found| found == *line),
                "no {line} in {conf}"
            );
        }
    };
    check(&[], &["tickTime=2000", "maxClientCnxns=60"]);
    check(
        &[
            ("ZOOKEEPER_TICK_TIME", "500"),
            ("ZOO_MAX_SESSION_TIMEOUT", "9000"),
        ],
        &[
            "tickTime=500",
            "maxClientCnxns=60",
            "maxSessionTimeout=9000",
        ],
    );
    let mut variables = variables_of_the_image();
    variables.push(("ZOO_SERVERS", "zk1:2888:3888::1 zk2:2888:3888::2"));
    let output = binary::run(&[], &variables);
    assert_eq!(output.status.code(), Some(2));
}

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
