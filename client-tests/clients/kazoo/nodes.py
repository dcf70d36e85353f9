"""Operations of kazoo on znodes."""

from kazoo.exceptions import (
    BadArgumentsError,
    BadVersionError,
    ConnectionLoss,
    KazooException,
    NoChildrenForEphemeralsError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
)

from driver import DEADLINE, Events, case, counts, refused, same


@case
def a_znode_is_created_read_changed_and_deleted(run):
    zk = run.client()
    same(zk.create("/a", b"one"), "/a")
    data, stat = zk.get("/a")
    same(data, b"one")
    same(counts(stat), "v0 c0 a0 length 3 children 0")
    same(stat.czxid, stat.mzxid)
    same(stat.created, stat.last_modified)
    changed = zk.set("/a", b"three", version=0)
    same(counts(changed), "v1 c0 a0 length 5 children 0")
    same(changed.mzxid, stat.czxid + 1)
    same(zk.exists("/a"), changed)
    zk.delete("/a", version=1)
    same(zk.exists("/a"), None)


@case
def create_gives_back_a_stat(run):
    zk = run.client()
    path, stat = zk.create("/a", b"x", include_data=True)
    same(path, "/a")
    same(stat, zk.exists("/a"))
    path, stat = zk.create("/a/e-", ephemeral=True, sequence=True, include_data=True)
    same(path, "/a/e-0000000000")
    same(stat.ephemeralOwner, zk.client_id[0])


@case
def null_and_empty_data_stay_apart(run):
    zk = run.client()
    zk.create("/empty", b"")
    zk.create("/null", None)
    same(zk.get("/empty")[0], b"")
    same(zk.get("/null")[0], None)


@case
def sequential_znodes_count_the_creates_of_their_parent(run):
    zk = run.client()
    zk.create("/q")
    same(zk.create("/q/a-", sequence=True), "/q/a-0000000000")
    same(zk.create("/q/b-", sequence=True, ephemeral=True), "/q/b-0000000001")
    zk.create("/q/plain")
    same(zk.create("/q/", sequence=True), "/q/0000000003")
    zk.delete("/q/plain")
    same(zk.create("/q/a-", sequence=True), "/q/a-0000000004")
    same(counts(zk.exists("/q")), "v0 c6 a0 length 0 children 4")


@case
def an_ephemeral_goes_with_its_session(run):
    owner = run.client()
    other = run.client()
    owner.create("/e", ephemeral=True)
    same(other.exists("/e").owner_session_id, owner.client_id[0])
    refused(NoChildrenForEphemeralsError, other.create, "/e/child")
    owner.stop()
    same(other.exists("/e"), None)


@case
def missing_parents_are_made(run):
    zk = run.client()
    same(zk.create("/a/b/c", b"x", makepath=True), "/a/b/c")
    zk.ensure_path("/a/b/d/e")
    zk.ensure_path("/a/b/d/e")
    same(sorted(zk.get_children("/a/b")), ["c", "d"])


@case
def refusals_have_their_errors(run):
    zk = run.client()
    zk.create("/a/b", makepath=True)
    refused(NodeExistsError, zk.create, "/a")
    refused(NoNodeError, zk.create, "/x/y")
    refused(NoNodeError, zk.get, "/x")
    refused(NoNodeError, zk.set, "/x", b"")
    refused(NoNodeError, zk.get_children, "/x")
    refused(NoNodeError, zk.get_acls, "/x")
    refused(NoNodeError, zk.delete, "/x")
    refused(BadVersionError, zk.set, "/a", b"", version=7)
    refused(BadVersionError, zk.delete, "/a", version=7)
    refused(NotEmptyError, zk.delete, "/a")
    refused(BadArgumentsError, zk.delete, "/zookeeper")
    same(counts(zk.exists("/a")), "v0 c1 a0 length 0 children 1")


@case
def children_come_with_and_without_stat(run):
    zk = run.client()
    same(zk.get_children("/"), ["zookeeper"])
    zk.create("/a", b"x")
    for i in range(20):
        zk.create("/a/\u00e4%d" % i)
    children, stat = zk.get_children("/a", include_data=True)
    same(len(children), 20)
    same("\u00e47" in children, True)
    same(counts(stat), "v0 c20 a0 length 1 children 20")
    same(sorted(zk.get_children("/a")), sorted(children))


@case
def a_tree_is_deleted_with_one_call(run):
    zk = run.client()
    zk.ensure_path("/t/a/b")
    zk.ensure_path("/t/c")
    zk.delete("/t", recursive=True)
    same(zk.get_children("/"), ["zookeeper"])


@case
def sync_answers_for_any_path(run):
    zk = run.client()
    same(zk.sync("/"), "/")
    same(zk.sync("/not/there"), "/not/there")


@case
def reconfig_is_refused(run):
    zk = run.client()
    same(zk.get("/zookeeper/config")[0], b"")
    refused(KazooException, zk.reconfig, "server.2=127.0.0.1:1:2;3", None, None)


@case
def asynchronous_calls_take_effect_in_order(run):
    zk = run.client()
    calls = [
        zk.create_async("/a", b"1"),
        zk.set_async("/a", b"2"),
        zk.get_async("/a"),
        zk.exists_async("/b"),
        zk.get_children_async("/a"),
        zk.get_acls_async("/a"),
        zk.delete_async("/b"),
        zk.delete_async("/a"),
    ]
    for call in calls:
        call.wait(DEADLINE)
    same([type(call.exception).__name__ for call in calls], ["NoneType"] * 6 + ["NoNodeError", "NoneType"])
    same(calls[2].value[0], b"2")
    same(calls[2].value[1].mzxid, calls[1].value.mzxid)


@case
def a_thousand_requests_in_flight_are_all_answered(run):
    zk = run.client()
    zk.create("/n")
    calls = [zk.create_async("/n/", b"x" * 100, sequence=True) for _ in range(1000)]
    for i, call in enumerate(calls):
        same(call.get(timeout=DEADLINE), "/n/%010d" % i)
    same(zk.exists("/n").numChildren, 1000)


@case
def a_chroot_is_the_clients_root(run):
    plain = run.client()
    plain.create("/app")
    zk = run.client("/app")
    events = Events()
    same(zk.exists("/a", watch=events), None)
    same(zk.create("/a"), "/a")
    events.expect("CREATED /a")
    same(zk.create("/a/s-", sequence=True), "/a/s-0000000000")
    same(zk.get_children("/", watch=events), ["a"])
    plain.create("/app/b")
    events.expect("CHILD /")
    same(sorted(plain.get_children("/app")), ["a", "b"])
    refused(NoNodeError, zk.get, "/app")
    same(zk.sync("/"), "/")
    zk.chroot = "/app/a"
    same(zk.get_children("/"), ["s-0000000000"])


@case
def paths_in_any_script(run):
    zk = run.client()
    for path in ["/z\u00fcrich", "/\u6771\u4eac", "/a b", "/..."]:
        same(zk.create(path, path.encode()), path)
        same(zk.get(path)[0], path.encode())


@case
def paths_that_only_the_server_refuses(run):
    zk = run.client()
    for path in ["/\U0001f980", "/a\x01", "/\ufff0"]:
        refused(BadArgumentsError, zk.create, path)


@case
def a_request_beyond_the_limit_costs_the_connection(run):
    zk = run.client()
    zk.create("/a", b"x" * 1_000_000)
    same(len(zk.get("/a")[0]), 1_000_000)
    refused(ConnectionLoss, zk.set, "/a", b"x" * 1_100_000)
    zk.states.until("CONNECTED")
    same(zk.retry(zk.exists, "/a").version, 0)


@case
def four_letter_words(run):
    zk = run.client()
    zk.create("/a")
    same(zk.command(b"ruok"), "imok")
    same(zk.command(b"isro"), "rw")
    same("Mode: standalone\nNode count: 6\n" in zk.command(b"srvr"), True)
    same("Clients:\n" in zk.command(b"stat"), True)
    same("sid=0x%x" % zk.client_id[0] in zk.command(b"cons"), True)
    same("tickTime=2000\n" in zk.command(b"conf"), True)
    # kazoo reads once, so it gets only the first part of a long answer.
    same(zk.command(b"mntr").startswith("zk_version\t3.9."), True)
    zk.exists("/a", watch=Events())
    same(zk.command(b"wchs"), "1 connections watching 1 paths\nTotal watches:1\n")
    same(zk.command(b"wchp").startswith("/a\n\t0x%x\n" % zk.client_id[0]), True)
    same(zk.command(b"wchc").startswith("0x%x\n\t/a\n" % zk.client_id[0]), True)
    same("ephemeral nodes dump:\n" in zk.command(b"dump"), True)
    same(zk.command(b"srst"), "Server stats reset.\n")
    same(zk.command(b"crst"), "Connection stats reset.\n")
    same(zk.command(b"gtmk"), "306")
    same("datadir_size: " in zk.command(b"dirs"), True)
    same(zk.server_version()[:2], (3, 9))
