"""Events of kazoo."""

from kazoo.exceptions import NoNodeError

from driver import Events, case, refused, same


@case
def a_one_shot_watch_fires_once(run):
    zk = run.client()
    other = run.client()
    events = Events()
    same(zk.exists("/a", watch=events), None)
    other.create("/a")
    events.expect("CREATED /a")
    zk.get("/a", watch=events)
    other.set("/a", b"1")
    other.set("/a", b"2")
    events.expect("CHANGED /a")
    zk.get_children("/a", watch=events)
    other.create("/a/b")
    events.expect("CHILD /a")
    zk.get_children("/a", watch=events, include_data=True)
    other.delete("/a/b")
    events.expect("CHILD /a")
    zk.get("/a", watch=events)
    other.delete("/a")
    events.expect("DELETED /a")
    zk.sync("/")
    events.expect_none()


@case
def a_read_of_nothing_leaves_no_watch(run):
    zk = run.client()
    events = Events()
    refused(NoNodeError, zk.get, "/a", watch=events)
    refused(NoNodeError, zk.get_children, "/a", watch=events)
    zk.create("/a")
    zk.set("/a", b"")
    zk.sync("/")
    events.expect_none()


@case
def several_watchers_of_one_client_all_get_the_event(run):
    zk = run.client()
    one = Events()
    two = Events()
    zk.create("/a")
    zk.get("/a", watch=one)
    zk.exists("/a", watch=two)
    zk.set("/a", b"")
    one.expect("CHANGED /a")
    two.expect("CHANGED /a")


@case
def the_expiry_of_an_owner_fires_a_watch(run):
    owner = run.client()
    zk = run.client()
    events = Events()
    owner.create("/e", ephemeral=True)
    zk.exists("/e", watch=events)
    run.expire(owner)
    events.expect("DELETED /e")
