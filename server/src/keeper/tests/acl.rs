//! ACLs: their validity, their stored form, and the permissions that they grant.

use super::*;

/// Returns the ACL that a create with these entries stores, or the refusal.
fn stored(world: &mut World, entries: impl Into<Vec<AclEntry<'static>>>) -> String {
    let answer = world.answer(1, create("/a").acl(entries));
    if answer != "path /a" {
        return answer;
    }
    let tree = world.keeper.tree();
    let stored = tree.get("/a").map(|znode| acl_text(tree.acl(znode.acl())));
    world.given(1, [delete("/a", -1)]);
    stored.unwrap_or_default()
}

#[track_caller]
fn stores(entries: impl Into<Vec<AclEntry<'static>>>, expected: &str) {
    assert_eq!(stored(&mut World::of(1), entries), expected);
}

#[test]
fn exact_doubles_are_merged() {
    stores(
        [
            entry(1, "world", "anyone"),
            entry(2, "digest", "a:b"),
            entry(1, "world", "anyone"),
            entry(2, "world", "anyone"),
        ],
        "acl [1 world:anyone, 2 digest:a:b, 2 world:anyone]",
    );
}

#[test]
fn an_empty_list_is_not_valid() {
    stores([], "InvalidAcl");
}

#[test]
fn a_null_scheme_is_not_valid() {
    stores([entry(31, "-", "anyone")], "InvalidAcl");
    stores([entry(31, "-", "-")], "InvalidAcl");
}

#[test]
fn a_null_id_is_malformed() {
    for scheme in ["world", "digest", "ip"] {
        stores([entry(31, scheme, "-")], "MarshallingError");
    }
    stores([entry(31, "nosuch", "-")], "InvalidAcl");
    stores([entry(31, "auth", "-")], "InvalidAcl");
}

#[test]
fn the_world_is_anyone() {
    stores([entry(31, "world", "anyone")], "acl [31 world:anyone]");
    stores([entry(31, "world", "anybody")], "InvalidAcl");
    stores([entry(31, "World", "anyone")], "InvalidAcl");
}

#[test]
fn unknown_and_internal_schemes_are_not_valid() {
    for scheme in ["sasl", "x509", "super", "nosuch", ""] {
        stores([entry(31, scheme, "a:b")], "InvalidAcl");
    }
}

#[test]
fn a_digest_has_two_parts_and_an_address_is_one() {
    stores([entry(1, "digest", "a:b:")], "acl [1 digest:a:b:]");
    stores([entry(1, "digest", "u:")], "InvalidAcl");
    stores([entry(1, "ip", "127.0.0.1/8")], "acl [1 ip:127.0.0.1/8]");
    stores([entry(1, "ip", "1.2.3")], "InvalidAcl");
}

#[test]
fn permissions_are_stored_as_they_come() {
    for (permissions, expected) in [
        (0, "acl [0 world:anyone]"),
        (255, "acl [255 world:anyone]"),
        (-1, "acl [-1 world:anyone]"),
    ] {
        stores([entry(permissions, "world", "anyone")], expected);
    }
}

#[test]
fn auth_expands_to_the_ids_of_the_connection_except_its_address() {
    let mut world = World::of(1);
    assert_eq!(stored(&mut world, [entry(31, "auth", "")]), "InvalidAcl");
    world.given(1, [auth("digest", "u:p"), auth("ip", "")]);
    assert_eq!(
        stored(&mut world, [entry(5, "auth", "ignored")]),
        "acl [5 digest:u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=]"
    );
}

#[test]
fn auth_becomes_the_ids_in_the_order_of_a_java_hash_set() {
    let (up, ux) = (
        "31 digest:u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=",
        "31 digest:u:qyauoE32sHRuxx6FfQ9AR/3sCLo=",
    );
    for auths in [["u:p", "u:x"], ["u:x", "u:p"]] {
        let mut world = World::of(1);
        world.given(1, auths.map(|text| auth("digest", text)));
        assert_eq!(
            stored(&mut world, [entry(31, "auth", "")]),
            format!("acl [{ux}, {up}]")
        );
    }
}

#[test]
fn duplicates_that_auth_makes_are_stored() {
    let mut world = World::of(1);
    world.given(1, [auth("digest", "u:p")]);
    assert_eq!(
        stored(&mut world, [entry(31, "auth", ""), entry(31, "auth", "x")]),
        "acl [31 digest:u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=, 31 digest:u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=]"
    );
}

#[test]
fn auth_does_not_expand_to_the_super_user() {
    let mut world = World::with(|rules| {
        rules.super_digest = Some("super:xQJmxLMiHGwaqBvst5y6rkB6HQs=".to_owned())
    })
    .joined_by(1);
    world.given(1, [auth("digest", "super:admin")]);
    assert_eq!(
        stored(&mut world, [entry(31, "auth", "")]),
        "acl [31 digest:super:xQJmxLMiHGwaqBvst5y6rkB6HQs=]"
    );
}

#[test]
fn without_the_digest_scheme_its_ids_are_not_valid() {
    let mut world = World::with(|rules| rules.digest_auth = false).joined_by(1);
    assert_eq!(
        stored(&mut world, [entry(31, "digest", "a:b")]),
        "InvalidAcl"
    );
}

#[test]
fn a_null_that_is_compared_with_an_earlier_entry_is_malformed() {
    // PrepRequestProcessor.removeDuplicates compares each entry with those before it, field by field up to the first
    // difference, and fails when it compares a null.
    stores(
        [entry(31, "world", "anyone"), entry(31, "-", "x")],
        "MarshallingError",
    );
    stores(
        [entry(31, "world", "anyone"), entry(1, "-", "x")],
        "InvalidAcl",
    );
    stores(
        [entry(31, "-", "x"), entry(31, "world", "anyone")],
        "InvalidAcl",
    );
    stores(
        [entry(31, "auth", "a"), entry(31, "auth", "-")],
        "MarshallingError",
    );
    stores(
        [entry(31, "auth", "-"), entry(31, "auth", "a")],
        "InvalidAcl",
    );
}

/// Returns whether a client that has authenticated as `u:p` may use each operation on `/a`.
fn allowed(entries: impl Into<Vec<AclEntry<'static>>>) -> Vec<&'static str> {
    let mut world = World::of(2);
    let id = "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ=";
    world.given(1, [create("/a"), create("/a/child")]);
    world.given(2, [auth("digest", "u:p")]);
    let mut entries = entries.into();
    for entry in &mut entries {
        if entry.id.as_deref() == Some("me") {
            entry.id = Some(Cow::Borrowed(id));
        }
    }
    world.given(1, [set_acl("/a", entries.clone(), -1)]);
    let questions: [(&str, Request<'static>); 11] = [
        ("exists", exists("/a", false)),
        ("getData", get("/a", false)),
        ("getChildren", ls("/a", false)),
        ("getChildren2", ls2("/a", false)),
        ("getAllChildrenNumber", count_below("/a")),
        ("getACL", get_acl("/a")),
        ("check", multi([check_version("/a", -1).into()])),
        ("setData", set("/a", "", -1).into()),
        ("create", create("/a/new").into()),
        ("delete", delete("/a/child", -1).into()),
        ("setACL", set_acl("/a", entries, -1)),
    ];
    let mut allowed = Vec::new();
    for (name, question) in questions {
        if !world.answer(2, question).contains("NoAuth") {
            allowed.push(name);
        }
    }
    allowed
}

#[test]
fn read_is_for_reading_and_for_checks() {
    assert_eq!(
        allowed([entry(1, "digest", "me")]),
        [
            "exists",
            "getData",
            "getChildren",
            "getChildren2",
            "getAllChildrenNumber",
            "getACL",
            "check"
        ]
    );
}

#[test]
fn write_create_delete_and_admin_each_allow_their_own() {
    assert_eq!(allowed([entry(2, "digest", "me")]), ["setData"]);
    assert_eq!(allowed([entry(4, "digest", "me")]), ["create"]);
    assert_eq!(allowed([entry(8, "digest", "me")]), ["delete"]);
    assert_eq!(allowed([entry(16, "digest", "me")]), ["getACL", "setACL"]);
    assert_eq!(allowed([entry(0, "digest", "me")]), [""; 0]);
}

#[test]
fn an_entry_for_another_identity_grants_nothing() {
    assert_eq!(allowed([entry(31, "digest", "u:other")]), [""; 0]);
    assert_eq!(allowed([entry(31, "ip", "10.0.0.0/8")]), [""; 0]);
    assert_eq!(
        allowed([
            entry(31, "digest", "u:other"),
            entry(2, "ip", "127.0.0.0/8")
        ]),
        ["setData"]
    );
}

#[test]
fn operations_without_a_permission_need_none() {
    let mut world = World::of(1);
    world.given(1, [create("/a").acl([entry(0, "world", "anyone")])]);
    for request in [
        sync("/a"),
        watch_persistently("/a"),
        watch_recursively("/a"),
        check_watches("/a", WatcherType::Any),
        remove_watches("/a", WatcherType::Any),
        Request::GetEphemerals { prefix: text("/a") },
        Request::WhoAmI,
        Request::Ping,
    ] {
        assert!(
            !world.answer(1, request.clone()).contains("NoAuth"),
            "{request:?}"
        );
    }
}

#[test]
fn permissions_are_not_inherited() {
    let mut world = World::of(1);
    world.given(1, [create("/a")]);
    world.given(1, [create("/a/b")]);
    world.given(1, [set_acl("/a", [entry(0, "world", "anyone")], -1)]);
    world.given(
        1,
        [
            get("/a/b", false),
            set("/a/b", "x", -1).into(),
            create("/a/b/c").into(),
        ],
    );
}

#[test]
fn skip_acl_skips_permissions_but_not_the_form_of_lists() {
    let mut world = World::with(|rules| rules.skip_acl = true).joined_by(1);
    world.given(1, [create("/a").acl([entry(0, "world", "anyone")])]);
    world.given(
        1,
        [get("/a", false), set("/a", "x", -1).into(), get_acl("/a")],
    );
    assert_eq!(world.answer(1, create("/b").acl([])), "InvalidAcl");
}

#[test]
fn the_super_user_passes_every_check() {
    let mut world = World::with(|rules| {
        rules.super_digest = Some("super:xQJmxLMiHGwaqBvst5y6rkB6HQs=".to_owned())
    })
    .joined_by(1);
    world.given(1, [create("/a").acl([entry(0, "world", "anyone")])]);
    assert_eq!(world.answer(1, get("/a", false)), "NoAuth");
    world.given(1, [auth("digest", "super:admin")]);
    world.given(
        1,
        [
            get("/a", false),
            set("/a", "x", -1).into(),
            set("/zookeeper/config", "x", -1).into(),
        ],
    );
    assert_eq!(
        world.answer(1, delete("/zookeeper", -1)),
        "BadArguments",
        "but not this one"
    );
}

#[test]
fn a_long_acl_is_checked_again_when_the_connection_has_a_new_id() {
    let mut world = World::of(1);
    let mut entries: Vec<_> = (0..20).map(|_| entry(1, "digest", "v:x")).collect();
    for (at, entry) in (32..).step_by(32).zip(&mut entries) {
        entry.permissions = at;
    }
    entries.push(entry(1, "digest", "u:Jq7wMyA/w2Vd5WIDAKdu4OIIFEQ="));
    entries.push(entry(2, "ip", "127.0.0.0/8"));
    world.given(1, [create("/long").acl(entries)]);
    assert_eq!(world.answer(1, get("/long", false)), "NoAuth");
    assert_eq!(world.answer(1, set("/long", "", 5)), "BadVersion");
    world.given(1, [auth("digest", "u:q")]);
    assert_eq!(world.answer(1, get("/long", false)), "NoAuth");
    world.given(1, [auth("digest", "u:p")]);
    assert_ne!(world.answer(1, get("/long", false)), "NoAuth");
}

#[test]
fn the_auth_entries_of_a_request_expand_to_a_thousand_at_most() {
    let mut world = World::of(1);
    for user in ["a:1", "b:1", "c:1", "d:1"] {
        world.given(1, [auth("digest", user)]);
    }
    let entries = |number: i32| -> Vec<_> { (0..number).map(|at| entry(at, "auth", "")).collect() };
    assert_eq!(
        world.answer(1, create("/most").acl(entries(250))),
        "path /most"
    );
    assert_eq!(
        world.answer(1, create("/more").acl(entries(251))),
        "MarshallingError"
    );
    let several = multi([
        create("/x").acl(entries(150)).into(),
        create("/y").acl(entries(150)).into(),
    ]);
    assert_eq!(world.answer(1, several), "MarshallingError");
}
