"""Connections and their sessions."""

from kazoo.exceptions import ConnectionClosedError
from kazoo.protocol.states import KazooState

from driver import DEADLINE, Events, case, refused, retry_every, same


@case
def the_timeout_is_negotiated(run):
    for asked, granted in [(1.0, 4000), (20.0, 20000), (1000.0, 40000)]:
        zk = run.client(timeout=asked)
        same("sid=0x%x,lop=SESS," % zk.client_id[0] in zk.command(b"cons"), True)
        same(",to=%d," % granted in zk.command(b"cons"), True)
        same(len(zk.client_id[1]), 16)
        zk.stop()


@case
def a_session_outlives_a_restart_of_the_server(run):
    zk = run.client()
    session = zk.client_id
    zk.create("/e", b"x", ephemeral=True)
    run.restart()
    zk.states.until("CONNECTED")
    same(zk.client_id, session)
    data, stat = zk.retry(zk.get, "/e")
    same(data, b"x")
    same(stat.ephemeralOwner, session[0])


@case
def an_operation_is_retried_until_the_server_is_back(run):
    zk = run.client()
    zk.create("/a")
    run.stop()
    zk.states.until("SUSPENDED")
    call = run.thread(lambda: zk.retry(zk.set, "/a", b"x").version)
    run.start_again()
    same(call.result(), 1)


@case
def a_client_forgets_its_one_shot_watches_and_says_so(run):
    """kazoo sends no setWatches: it notifies its watchers and removes them."""
    zk = run.client()
    events = Events()
    zk.create("/a")
    zk.get("/a", watch=events)
    run.restart()
    zk.states.until("CONNECTED")
    events.expect("NONE None")


@case
def data_watches_outlive_a_restart_of_the_server(run):
    zk = run.client()
    seen = Events()
    zk.create("/a", b"1")
    zk.DataWatch("/a", lambda data, stat: seen.put(data))
    seen.expect(b"1")
    run.restart()
    zk.states.until("CONNECTED")
    zk.retry(zk.set, "/a", b"2")
    seen.until(b"2")


@case
def a_second_connection_takes_over_and_ends_a_session(run):
    # Slow to reconnect, so that it does not resume its session at once.
    first = run.client(connection_retry=retry_every(0.5))
    session = first.client_id
    other = run.client()
    first.create("/e", ephemeral=True)
    second = run.client(client_id=session)
    same(second.client_id, session)
    same(second.exists("/e").ephemeralOwner, session[0])
    first.states.until("SUSPENDED")
    second.stop()
    first.states.until("LOST")
    same(other.exists("/e"), None)


@case
def the_server_expires_a_session(run):
    zk = run.client()
    other = run.client()
    session = zk.client_id
    zk.create("/e", ephemeral=True)
    zk.create("/a")
    run.expire(zk)
    zk.states.until("LOST")
    zk.states.until("CONNECTED")
    same(zk.client_id != session, True)
    same(other.exists("/e"), None)
    same(zk.exists("/a") is not None, True)


@case
def a_wrong_password_gives_a_new_session(run):
    first = run.client()
    session = first.client_id[0]
    second = run.client(client_id=(session, b"\0" * 16), start=False)
    second.start(timeout=DEADLINE)
    second.states.until("CONNECTED")
    same(second.client_id[0] != session, True)
    # The owner's connection was closed too; its session lives.
    first.states.expect("SUSPENDED", "CONNECTED")
    same(first.client_id[0], session)


@case
def a_client_stops_and_starts(run):
    zk = run.client()
    session = zk.client_id
    zk.create("/e", ephemeral=True)
    zk.stop()
    same(zk.state, KazooState.LOST)
    refused(ConnectionClosedError, zk.exists, "/e")
    zk.start()
    same(zk.exists("/e"), None)
    same(zk.client_id != session, True)
    zk.restart()
    same(zk.connected, True)


@case
def a_client_that_may_read_only_gets_a_full_session(run):
    zk = run.client(read_only=True)
    same(zk.client_state, "CONNECTED")
    zk.create("/a")
