import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Common uses of ZooKeeper, which must print the same lines on a real one. */
final class Scenarios {
    private Scenarios() {
    }

    @Case
    static void configuration(Run run) throws Exception {
        ZooKeeper owner = run.client();
        ZooKeeper reader = run.client();
        ZooKeeper writer = run.client();
        Events events = new Events();
        run.say(owner.create("/config", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        run.say(owner.create("/config/database", Run.bytes("db_host=localhost;db_port=5432"), OPEN_ACL_UNSAFE,
            CreateMode.EPHEMERAL));
        Stat stat = new Stat();
        run.say("reads " + Run.text(reader.getData("/config/database", events, stat)) + " " + Run.counts(stat));
        run.say("sets " + Run.counts(writer.setData("/config/database", Run.bytes("db_host=localhost;db_port=5433"), 0)));
        run.say("got " + events.nextText());
        run.say("reads " + Run.text(reader.getData("/config/database", events, stat)) + " " + Run.counts(stat)
            + " zxid " + stat.getMzxid());
        owner.close();
        run.say("got " + events.nextText());
        run.say("there: " + (reader.exists("/config/database", false) != null));
        run.say("children " + reader.getChildren("/config", false, stat) + " " + Run.counts(stat));
    }

    @Case
    static void election(Run run) throws Exception {
        ZooKeeper asker = run.client();
        asker.create("/election", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Map<String, ZooKeeper> clients = new HashMap<>();
        Map<String, Events> events = new HashMap<>();
        Deque<String> line = new ArrayDeque<>();
        for (String name : new String[] {"a", "b", "c"}) {
            clients.put(name, run.client());
            events.put(name, new Events());
            stand(run, name, clients, events.get(name));
            line.add(name);
        }
        leader(run, asker);
        for (String end : new String[] {"close", "expiry"}) {
            String leaves = line.remove();
            if (end.equals("close")) {
                clients.get(leaves).close();
            } else {
                run.expire(clients.get(leaves));
            }
            String next = line.peek();
            run.say(leaves + " leaves by " + end + ", " + next + " got " + events.get(next).nextText());
            for (String other : line) {
                clients.get(other).sync("/");
                events.get(other).expectNone();
            }
            leader(run, asker);
            if (end.equals("close")) {
                clients.put(leaves, run.client());
                stand(run, leaves, clients, events.get(leaves));
                line.add(leaves);
            }
        }
    }

    private static void stand(Run run, String name, Map<String, ZooKeeper> clients, Events events) throws Exception {
        ZooKeeper zk = clients.get(name);
        String path = zk.create("/election/n-", Run.bytes(name), OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL);
        List<String> candidates = Run.sorted(zk.getChildren("/election", false));
        int place = candidates.indexOf(path.substring("/election/".length()));
        if (place == 0) {
            run.say(name + " stands as " + path + " and leads");
        } else {
            zk.exists("/election/" + candidates.get(place - 1), events);
            run.say(name + " stands as " + path + " and watches " + candidates.get(place - 1));
        }
    }

    private static void leader(Run run, ZooKeeper asker) throws Exception {
        String first = Run.sorted(asker.getChildren("/election", false)).get(0);
        run.say("leader " + Run.text(asker.getData("/election/" + first, false, null)));
    }
}
