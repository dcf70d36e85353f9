"""kazoo's recipes: common uses of ZooKeeper."""

import datetime
import threading

from kazoo.exceptions import CancelledError, LockTimeout
from kazoo.recipe.cache import TreeCache
from kazoo.recipe.party import ShallowParty
from kazoo.recipe.watchers import PatientChildrenWatch

from driver import DEADLINE, Events, case, refused, same


@case
def election(run):
    events = Events()
    leave = {name: threading.Event() for name in "abc"}
    clients = {name: run.client() for name in "abc"}
    elections = {name: clients[name].Election("/election", name) for name in "abc"}
    asker = run.client()
    lines = Events()

    def line(children):
        lines.put(len(children))

    asker.ensure_path("/election")
    asker.ChildrenWatch("/election", line)
    lines.expect(0)

    def lead(name):
        events.put("leads " + name)
        same(leave[name].wait(DEADLINE), True)

    threads = {}
    for place, name in enumerate("abc"):
        threads[name] = run.thread(elections[name].run, lead, name)
        lines.expect(place + 1)
    events.expect("leads a")
    same(asker.Election("/election").contenders(), ["a", "b", "c"])
    leave["a"].set()
    threads["a"].result()
    events.expect("leads b")
    run.expire(clients["b"])
    events.expect("leads c")
    same(asker.Election("/election").contenders(), ["c"])
    leave["b"].set()
    leave["c"].set()
    threads["c"].result()


@case
def an_election_is_cancelled(run):
    first = run.client().Election("/election", "first")
    leads = threading.Event()
    leave = threading.Event()

    def lead():
        leads.set()
        leave.wait(DEADLINE)

    thread = run.thread(first.run, lead)
    same(leads.wait(DEADLINE), True)
    zk = run.client()
    stands = Events()
    zk.ChildrenWatch("/election", lambda children: stands.put(len(children)))
    stands.expect(1)
    second = run.client().Election("/election", "second")
    waiting = run.thread(second.run, lambda: None)
    stands.expect(2)
    second.cancel()
    waiting.result()
    stands.until(1)
    leave.set()
    thread.result()


@case
def lock(run):
    one, two = run.client(), run.client()
    first = one.Lock("/lock", "one")
    second = two.Lock("/lock", "two")
    same(first.acquire(), True)
    same(first.is_acquired, True)
    same(second.acquire(blocking=False), False)
    refused(LockTimeout, second.acquire, timeout=0.05)
    waiting = run.thread(second.acquire)
    queue = Events()
    one.ChildrenWatch("/lock", lambda children: queue.put(len(children)))
    queue.until(2)
    same(first.contenders(), ["one", "two"])
    first.release()
    same(waiting.result(), True)
    same(second.contenders(), ["two"])
    second.release()
    with one.Lock("/lock"):
        same(len(two.get_children("/lock")), 1)
    same(two.get_children("/lock"), [])


@case
def a_lock_passes_on_when_its_owner_expires(run):
    one, two = run.client(), run.client()
    one.Lock("/lock", "one").acquire()
    second = two.Lock("/lock", "two")
    waiting = run.thread(second.acquire)
    queue = Events()
    two.ChildrenWatch("/lock", lambda children: queue.put(len(children)))
    queue.until(2)
    run.expire(one)
    same(waiting.result(), True)
    second.release()


@case
def a_waiting_lock_is_cancelled(run):
    one, two = run.client(), run.client()
    one.Lock("/lock").acquire()
    second = two.Lock("/lock")
    waiting = run.thread(second.acquire)
    queue = Events()
    one.ChildrenWatch("/lock", lambda children: queue.put(len(children)))
    queue.until(2)
    second.cancel()
    refused(CancelledError, waiting.result)
    queue.until(1)


@case
def read_and_write_locks(run):
    one, two, three = run.client(), run.client(), run.client()
    first, second = one.ReadLock("/lock", "r1"), two.ReadLock("/lock", "r2")
    same(first.acquire(), True)
    same(second.acquire(), True)
    write = three.WriteLock("/lock", "w")
    same(write.acquire(blocking=False), False)
    waiting = run.thread(write.acquire)
    queue = Events()
    one.ChildrenWatch("/lock", lambda children: queue.put(len(children)))
    queue.until(3)
    same(one.ReadLock("/lock", "r3").acquire(blocking=False), False)
    first.release()
    second.release()
    same(waiting.result(), True)
    write.release()


@case
def semaphore(run):
    one, two, three = run.client(), run.client(), run.client()
    first = one.Semaphore("/semaphore", "one", max_leases=2)
    second = two.Semaphore("/semaphore", "two", max_leases=2)
    third = three.Semaphore("/semaphore", "three", max_leases=2)
    same(first.acquire(), True)
    same(second.acquire(), True)
    same(third.acquire(blocking=False), False)
    same(sorted(first.lease_holders()), ["one", "two"])
    waiting = run.thread(third.acquire)
    first.release()
    same(waiting.result(), True)
    same(sorted(third.lease_holders()), ["three", "two"])
    second.release()
    third.release()


@case
def barrier(run):
    one, two = run.client(), run.client()
    barrier = one.Barrier("/barrier")
    same(barrier.wait(0), True)
    barrier.create()
    same(two.Barrier("/barrier").wait(0.01), False)
    waiting = run.thread(two.Barrier("/barrier").wait, DEADLINE)
    same(barrier.remove(), True)
    same(waiting.result(), True)
    same(barrier.remove(), False)


@case
def double_barrier(run):
    clients = [run.client() for _ in range(3)]
    barriers = [zk.DoubleBarrier("/double", 3, str(i)) for i, zk in enumerate(clients)]
    for thread in [run.thread(barrier.enter) for barrier in barriers]:
        thread.result()
    same([barrier.participating for barrier in barriers], [True] * 3)
    for thread in [run.thread(barrier.leave) for barrier in barriers]:
        thread.result()
    same([barrier.participating for barrier in barriers], [False] * 3)
    same(clients[0].get_children("/double"), [])


@case
def party(run):
    one, two = run.client(), run.client()
    first, second = one.Party("/party", "one"), two.Party("/party", "two")
    first.join()
    second.join()
    same(sorted(first), ["one", "two"])
    same(len(second), 2)
    first.leave()
    same(list(second), ["two"])
    gone = Events()
    one.ChildrenWatch("/party", lambda children: gone.put(len(children)))
    gone.expect(1)
    run.expire(two)
    gone.expect(0)


@case
def shallow_party(run):
    zk = run.client()
    party = ShallowParty(zk, "/party", "one")
    party.join()
    same(list(ShallowParty(run.client(), "/party")), ["one"])
    party.leave()
    same(len(party), 0)


@case
def counter(run):
    one, two = run.client(), run.client()
    counter = one.Counter("/counter", default=10)
    same(counter.value, 10)
    counter += 2
    other = two.Counter("/counter", default=10)
    other -= 5
    same(counter.value, 7)
    same((other.pre_value, other.post_value), (12, 7))
    same(one.get("/counter")[0], b"7")
    curator = one.Counter("/curator", support_curator=True)
    curator += 1
    same(one.get("/curator")[0], b"\0\0\0\1")


@case
def counters_of_two_clients_lose_nothing(run):
    def count(zk):
        counter = zk.Counter("/counter")
        for _ in range(25):
            counter += 1

    clients = [run.client(), run.client()]
    for thread in [run.thread(count, zk) for zk in clients]:
        thread.result()
    same(clients[0].Counter("/counter").value, 50)


@case
def queue(run):
    zk = run.client()
    queue = zk.Queue("/queue")
    same(queue.get(), None)
    queue.put(b"two")
    queue.put(b"three")
    queue.put(b"one", priority=10)
    same(len(queue), 3)
    same([run.client().Queue("/queue").get() for _ in range(3)], [b"one", b"two", b"three"])
    same(queue.get(), None)


@case
def locking_queue(run):
    one, two = run.client(), run.client()
    first, second = one.LockingQueue("/queue"), two.LockingQueue("/queue")
    first.put_all([b"a", b"b"])
    same(len(first), 2)
    same(first.get(), b"a")
    same(first.holds_lock(), True)
    same(second.get(), b"b")
    same(second.release(), True)
    same(first.consume(), True)
    same(first.get(), b"b")
    same(first.consume(), True)
    waiting = run.thread(second.get)
    first.put(b"c")
    same(waiting.result(), b"c")
    same(second.consume(), True)
    same(first.get(timeout=0.01), None)


@case
def data_watch(run):
    zk, other = run.client(), run.client()
    seen = Events()

    @zk.DataWatch("/a")
    def watch(data, stat, event):
        seen.put("%s %s %s" % (data, stat and stat.version, event and event.type))
        return data != b"last"

    seen.expect("None None None")
    other.create("/a", b"1")
    seen.expect("b'1' 0 CREATED")
    other.set("/a", b"2")
    seen.expect("b'2' 1 CHANGED")
    other.delete("/a")
    seen.expect("None None DELETED")
    other.create("/a", b"3")
    seen.expect("b'3' 0 CREATED")
    other.set("/a", b"last")
    seen.expect("b'last' 1 CHANGED")
    other.set("/a", b"more")
    zk.sync("/")
    seen.expect_none()


@case
def children_watch(run):
    zk, other = run.client(), run.client()
    seen = Events()
    zk.create("/a")

    @zk.ChildrenWatch("/a", send_event=True)
    def watch(children, event):
        seen.put("%s %s" % (sorted(children), event and event.type))

    seen.expect("[] None")
    other.create("/a/x")
    seen.expect("['x'] CHILD")
    other.create("/a/y", ephemeral=True)
    seen.expect("['x', 'y'] CHILD")
    run.expire(other)
    seen.expect("['x'] CHILD")


@case
def a_children_watch_starts_anew_after_expiry(run):
    zk, other = run.client(), run.client()
    seen = Events()
    zk.create("/a")
    zk.ChildrenWatch("/a", lambda children: seen.put(sorted(children)))
    seen.expect([])
    run.expire(zk)
    zk.states.until("LOST")
    zk.states.until("CONNECTED")
    other.create("/a/x")
    seen.until(["x"])


@case
def patient_children_watch(run):
    zk = run.client()
    zk.create("/a")
    zk.create("/a/x")
    children, changed = PatientChildrenWatch(zk, "/a", time_boundary=0.01).start().get(timeout=DEADLINE)
    same(children, ["x"])
    run.client().create("/a/y")
    same(changed.get(timeout=DEADLINE) is not None, True)


@case
def tree_cache(run):
    zk, other = run.client(), run.client()
    seen = Events()
    other.ensure_path("/t/a")
    cache = TreeCache(zk, "/t")
    names = ["added", "updated", "removed", "suspended", "reconnected", "lost", "initialized"]
    cache.listen(lambda event: seen.put("%s %s" % (names[event.event_type], event.event_data and event.event_data.path)))
    cache.listen_fault(lambda error: seen.put("fault %r" % error))
    cache.start()
    seen.expect("added /t", "added /t/a", "initialized None")
    other.create("/t/a/b", b"x")
    seen.expect("added /t/a/b")
    same(cache.get_data("/t/a/b").data, b"x")
    other.set("/t/a/b", b"y")
    seen.expect("updated /t/a/b")
    same(cache.get_data("/t/a/b").data, b"y")
    same(sorted(cache.get_children("/t/a")), ["b"])
    other.delete("/t/a/b")
    seen.expect("removed /t/a/b")
    same(cache.get_data("/t/a/b"), None)
    run.restart()
    seen.until("reconnected None")
    zk.retry(zk.create, "/t/c")
    seen.until("added /t/c")
    cache.close()


@case
def partitioner(run):
    one, two = run.client(), run.client()
    changed = Events()
    first = one.SetPartitioner("/set", set=("x", "y"), identifier="a", time_boundary=0.05)
    second = two.SetPartitioner("/set", set=("x", "y"), identifier="b", time_boundary=0.05)
    one.ChildrenWatch("/set", lambda children: changed.put(len(children)))

    def acquire(partition):
        while not partition.acquired:
            if partition.release:
                partition.release_set()
            else:
                partition.wait_for_acquire(1)
        return list(partition)

    threads = [run.thread(acquire, partition) for partition in (first, second)]
    parts = [thread.result() for thread in threads]
    same(sorted(sum(parts, [])) in (["x", "y"], ["x", "x", "y"], ["x", "y", "y"]), True)
    first.finish()
    second.finish()


@case
def leases(run):
    one, two = run.client(), run.client()
    hour = datetime.timedelta(hours=1)
    same(bool(one.NonBlockingLease("/lease", hour, "one")), True)
    same(bool(two.NonBlockingLease("/lease", hour, "two")), False)
    same(bool(one.NonBlockingLease("/lease", hour, "one")), True)
    same(bool(one.MultiNonBlockingLease(2, "/leases", hour, "one")), True)
    same(bool(two.MultiNonBlockingLease(2, "/leases", hour, "two")), True)
    same(bool(two.MultiNonBlockingLease(2, "/leases", hour, "three")), False)
