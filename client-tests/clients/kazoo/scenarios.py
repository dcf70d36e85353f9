"""Scenarios that must print the same lines on a real ZooKeeper."""

from driver import Events, case, counts


@case
def configuration(run):
    owner, reader, writer = run.client(), run.client(), run.client()
    events = Events()
    run.say(owner.create("/config"))
    run.say(owner.create("/config/database", b"db_host=localhost;db_port=5432", ephemeral=True))
    data, stat = reader.get("/config/database", watch=events)
    run.say("reads %s %s" % (data.decode(), counts(stat)))
    run.say("sets " + counts(writer.set("/config/database", b"db_host=localhost;db_port=5433", version=0)))
    run.say("got " + events.next())
    data, stat = reader.get("/config/database", watch=events)
    run.say("reads %s %s zxid %d" % (data.decode(), counts(stat), stat.mzxid))
    owner.stop()
    run.say("got " + events.next())
    run.say("there: %s" % (reader.exists("/config/database") is not None))
    children, stat = reader.get_children("/config", include_data=True)
    run.say("children %s %s" % (children, counts(stat)))


@case
def leader_election(run):
    asker = run.client()
    asker.create("/election")
    events = {name: Events() for name in "abc"}
    clients = {}
    line = []

    def stand(name):
        zk = clients[name] = run.client()
        path = zk.create("/election/n-", name.encode(), ephemeral=True, sequence=True)
        candidates = sorted(zk.get_children("/election"))
        place = candidates.index(path[len("/election/") :])
        if place == 0:
            run.say("%s stands as %s and leads" % (name, path))
        else:
            zk.exists("/election/" + candidates[place - 1], watch=events[name])
            run.say("%s stands as %s and watches %s" % (name, path, candidates[place - 1]))
        line.append(name)

    def leader():
        first = sorted(asker.get_children("/election"))[0]
        run.say("leader " + asker.get("/election/" + first)[0].decode())

    for name in "abc":
        stand(name)
    leader()
    for end in ("close", "expiry"):
        leaves = line.pop(0)
        if end == "close":
            clients[leaves].stop()
        else:
            run.expire(clients[leaves])
        run.say("%s leaves by %s, %s got %s" % (leaves, end, line[0], events[line[0]].next()))
        for other in line:
            clients[other].sync("/")
            events[other].expect_none()
        leader()
        if end == "close":
            stand(leaves)
