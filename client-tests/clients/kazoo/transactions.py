"""Several operations as one."""

from kazoo.exceptions import BadVersionError, NoNodeError, RolledBackError, RuntimeInconsistency

from driver import Events, case, counts, same


@case
def all_operations_take_effect_with_one_zxid(run):
    zk = run.client()
    zk.create("/old")
    transaction = zk.transaction()
    transaction.check("/old", 0)
    transaction.create("/a", b"1")
    transaction.create("/a/s-", ephemeral=True, sequence=True)
    transaction.set_data("/a", b"22", version=0)
    transaction.delete("/old", version=0)
    results = transaction.commit()
    same(results[:3], [True, "/a", "/a/s-0000000000"])
    same(counts(results[3]), "v1 c1 a0 length 2 children 1")
    same(results[4], True)
    stat = zk.exists("/a")
    same(stat.czxid, stat.mzxid)
    same(zk.exists("/a/s-0000000000").czxid, stat.czxid)
    same(zk.exists("/old"), None)


@case
def a_failed_transaction_changes_nothing_and_names_the_culprit(run):
    zk = run.client()
    events = Events()
    zk.create("/a")
    zk.exists("/new", watch=events)
    transaction = zk.transaction()
    transaction.create("/new")
    transaction.set_data("/a", b"x")
    transaction.check("/a", 7)
    transaction.delete("/a")
    same(
        [type(result) for result in transaction.commit()],
        [RolledBackError, RolledBackError, BadVersionError, RuntimeInconsistency],
    )
    same(zk.exists("/new"), None)
    same(counts(zk.exists("/a")), "v0 c0 a0 length 0 children 0")


@case
def a_transaction_as_a_context(run):
    zk = run.client()
    with zk.transaction() as transaction:
        transaction.create("/a")
        transaction.create("/a/b", b"x")
    same(zk.get("/a/b")[0], b"x")


@case
def a_transaction_is_committed_asynchronously(run):
    zk = run.client()
    transaction = zk.transaction()
    transaction.delete("/x")
    same([type(result) for result in transaction.commit_async().get(timeout=10)], [NoNodeError])


@case
def an_empty_transaction_succeeds(run):
    same(run.client().transaction().commit(), [])
