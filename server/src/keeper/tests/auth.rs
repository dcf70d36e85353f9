//! Identities of a connection: auth, sasl, whoAmI, and servers that require authentication.

use super::*;

const SASL: Request<'static> = Request::Sasl { token: b"" };

#[test]
fn auth_is_answered_with_zxid_zero_and_its_own_xid() {
    let mut world = World::of(1);
    check(
        world.ask_as(1, -4, auth("digest", "u:p")),
        &["1 <- xid -4 zxid 0 ok"],
    );
    check(
        world.ask_as(1, 5, auth("digest", "no colon")),
        &["1 <- xid 5 zxid 0 ok"],
    );
    check(
        world.ask_as(1, -4, auth("ip", "")),
        &["1 <- xid -4 zxid 0 ok"],
    );
}

#[test]
fn an_unusable_scheme_closes_the_connection() {
    for scheme in [
        "nosuch", "-", "world", "auth", "sasl", "super", "x509", "Digest",
    ] {
        let mut world = World::of(1);
        check(
            world.ask_as(1, -4, auth(scheme, "u:p")),
            &["1 <- xid -4 zxid 0 AuthFailed", "1 closed AuthFailed"],
        );
        assert_eq!(world.keeper.sessions().len(), 1, "the session lives on");
    }
}

#[test]
fn null_data_is_no_digest() {
    let mut world = World::of(1);
    let null = Request::Auth {
        scheme: text("digest"),
        auth: None,
    };
    check(
        world.ask_as(1, -4, null),
        &["1 <- xid -4 zxid 0 AuthFailed", "1 closed AuthFailed"],
    );
}

#[test]
fn digest_can_be_switched_off() {
    let mut world = World::with(|rules| rules.digest_auth = false).joined_by(1);
    check(
        world.ask_as(1, -4, auth("digest", "u:p")),
        &["1 <- xid -4 zxid 0 AuthFailed", "1 closed AuthFailed"],
    );
}

#[test]
fn who_am_i_shows_names_and_no_hashes_and_each_id_once() {
    let mut world = World::with(|rules| {
        rules.super_digest = Some("super:xQJmxLMiHGwaqBvst5y6rkB6HQs=".to_owned())
    })
    .joined_by(1);
    assert_eq!(world.answer(1, Request::WhoAmI), "you are ip:127.0.0.1");
    world.given(
        1,
        [
            auth("digest", "u:p"),
            auth("digest", "u:p"),
            auth("digest", "u:q"),
            auth("digest", "super:admin"),
        ],
    );
    assert_eq!(
        world.answer(1, Request::WhoAmI),
        "you are digest:super super: ip:127.0.0.1 digest:u digest:u"
    );
}

#[test]
fn an_ipv6_client_is_known_by_its_address_written_out() {
    let mut world = World::new();
    world.accept(1, "::1");
    world.connect(1, asking_for_session(5000));
    assert_eq!(
        world.answer(1, Request::WhoAmI),
        "you are ip:0:0:0:0:0:0:0:1"
    );
    world.given(
        1,
        [
            create("/a").acl([entry(1, "ip", "::1/128")]),
            create("/b").acl([entry(1, "ip", "::2")]),
        ],
    );
    assert!(world.answer(1, get("/a", false)).starts_with("\"\""));
    assert_eq!(world.answer(1, get("/b", false)), "NoAuth");
}

#[test]
fn ids_belong_to_the_connection_not_to_the_session() {
    let mut world = World::of(1);
    world.given(1, [auth("digest", "u:p")]);
    world.resume(2, 1);
    assert_eq!(world.answer(2, Request::WhoAmI), "you are ip:127.0.0.1");
}

#[test]
fn sasl_is_answered_with_a_null_token_where_it_is_not_configured() {
    check(World::of(1).ask(1, SASL), &["1 <- xid 1 zxid 0 no token"]);
}

fn strict() -> World {
    World::with(|rules| rules.required_auth_schemes = vec!["digest".to_owned()]).joined_by(1)
}

#[test]
fn a_server_that_requires_authentication_closes_connections_with_other_requests() {
    for request in [
        exists("/", false),
        create("/a").into(),
        Request::CloseSession,
        Request::Malformed(Operation::Create),
        Request::Unknown { op_code: 999 },
    ] {
        let mut world = strict();
        check(
            world.ask(1, request),
            &[
                "1 <- xid 1 zxid 0 SessionClosedRequireSaslAuth",
                "1 closed AuthFailed",
            ],
        );
        assert_eq!(world.keeper.sessions().len(), 1);
    }
}

#[test]
fn a_refused_ping_keeps_its_own_xid() {
    check(
        strict().ask_as(1, 77, Request::Ping),
        &[
            "1 <- xid 77 zxid 0 SessionClosedRequireSaslAuth",
            "1 closed AuthFailed",
        ],
    );
}

#[test]
fn a_server_that_requires_authentication_answers_auth_and_sasl() {
    let mut world = strict();
    check(world.ask(1, SASL), &["1 <- xid 1 zxid 0 no token"]);
    world.given(1, [auth("ip", "")]);
    world.given(1, [auth("digest", "u:p")]);
    check(world.ask(1, Request::Ping), &["1 <- xid -2 zxid 1 ok"]);
}

#[test]
fn a_session_needs_no_authentication() {
    let mut world = World::with(|rules| rules.required_auth_schemes = vec!["digest".to_owned()]);
    world.accept(1, "127.0.0.1");
    check(
        world.connect(1, asking_for_session(5000)),
        &[
            "txn 1 by 1: session of 5000",
            "1 <- connected session 1 timeout 5000 password right read-only false",
        ],
    );
}
