import static org.apache.zookeeper.KeeperException.Code.BADARGUMENTS;
import static org.apache.zookeeper.KeeperException.Code.BADVERSION;
import static org.apache.zookeeper.KeeperException.Code.CONNECTIONLOSS;
import static org.apache.zookeeper.KeeperException.Code.NOCHILDRENFOREPHEMERALS;
import static org.apache.zookeeper.KeeperException.Code.NODEEXISTS;
import static org.apache.zookeeper.KeeperException.Code.NONODE;
import static org.apache.zookeeper.KeeperException.Code.NOTEMPTY;
import static org.apache.zookeeper.KeeperException.Code.RECONFIGDISABLED;
import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZKUtil;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.admin.ZooKeeperAdmin;
import org.apache.zookeeper.client.ZKClientConfig;
import org.apache.zookeeper.common.ZKConfig;
import org.apache.zookeeper.data.Stat;

/** Operations of the Java client on znodes. */
final class Nodes {
    private Nodes() {
    }

    @Case
    static void a_znode_is_created_read_changed_and_deleted(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Run.same(zk.create("/a", Run.bytes("one"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), "/a");
        Stat stat = new Stat();
        Run.sameBytes(zk.getData("/a", false, stat), Run.bytes("one"));
        Run.same(Run.counts(stat), "v0 c0 a0 length 3 children 0");
        Run.same(stat.getCzxid(), stat.getMzxid());
        Run.same(stat.getCzxid(), stat.getPzxid());
        Run.same(stat.getCtime(), stat.getMtime());
        Stat changed = zk.setData("/a", Run.bytes("three"), 0);
        Run.same(Run.counts(changed), "v1 c0 a0 length 5 children 0");
        Run.same(changed.getMzxid(), stat.getCzxid() + 1);
        Run.same(zk.exists("/a", false), changed);
        zk.delete("/a", 1);
        Run.same(zk.exists("/a", false), null);
    }

    @Case
    static void create_gives_back_a_stat(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Stat stat = new Stat();
        zk.create("/a", Run.bytes("one"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
        Run.same(stat, zk.exists("/a", false));
        zk.create("/a/e", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL, stat);
        Run.same(stat.getEphemeralOwner(), zk.getSessionId());
        Run.same(Run.counts(zk.exists("/a", false)), "v0 c1 a0 length 3 children 1");
        Run.same(zk.exists("/a", false).getPzxid(), stat.getCzxid());
    }

    @Case
    static void null_and_empty_data_stay_apart(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.create("/null", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/empty", new byte[0], OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Run.sameBytes(zk.getData("/null", false, null), null);
        Run.sameBytes(zk.getData("/empty", false, null), new byte[0]);
        zk.setData("/null", new byte[0], -1);
        zk.setData("/empty", null, -1);
        Run.sameBytes(zk.getData("/null", false, null), new byte[0]);
        Run.sameBytes(zk.getData("/empty", false, null), null);
    }

    @Case
    static void sequential_znodes_count_the_creates_of_their_parent(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.create("/q", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Run.same(zk.create("/q/a-", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL), "/q/a-0000000000");
        Run.same(zk.create("/q/b-", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL), "/q/b-0000000001");
        zk.create("/q/plain", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Run.same(zk.create("/q/", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL), "/q/0000000003");
        zk.delete("/q/a-0000000000", -1);
        Run.same(zk.create("/q/a-", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL), "/q/a-0000000004");
        Run.same(Run.counts(zk.exists("/q", false)), "v0 c6 a0 length 0 children 4");
    }

    @Case
    static void an_ephemeral_goes_with_its_session(Run run) throws Exception {
        ZooKeeper owner = run.client();
        ZooKeeper other = run.client();
        owner.create("/e", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        Run.same(other.exists("/e", false).getEphemeralOwner(), owner.getSessionId());
        Run.refused(NOCHILDRENFOREPHEMERALS,
            () -> other.create("/e/child", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        owner.close();
        Run.same(other.exists("/e", false), null);
    }

    @Case
    static void a_container_goes_after_its_last_child(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Events events = new Events();
        zk.create("/c", null, OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        zk.create("/unused", null, OPEN_ACL_UNSAFE, CreateMode.CONTAINER);
        Run.same(zk.exists("/c", events).getEphemeralOwner(), 0L);
        zk.create("/c/child", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.delete("/c/child", -1);
        events.expect("NodeDeleted /c");
        Run.same(zk.exists("/unused", false) == null, false);
    }

    @Case
    static void a_ttl_znode_goes_when_its_time_is_over(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Events events = new Events();
        Stat stat = new Stat();
        zk.addWatch("/short", events, AddWatchMode.PERSISTENT);
        zk.create("/short", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, stat, 1);
        Run.same(zk.create("/long-", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL, stat, 1_000_000),
            "/long-0000000001");
        Run.same(stat.getEphemeralOwner(), 0L);
        events.expect("NodeCreated /short", "NodeDeleted /short");
        Run.same(zk.exists("/long-0000000001", false), stat);
    }

    @Case
    static void refusals_have_their_codes(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Run.refused(NODEEXISTS, () -> zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        Run.refused(NONODE, () -> zk.create("/x/y", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        Run.refused(NONODE, () -> zk.getData("/x", false, null));
        Run.refused(NONODE, () -> zk.setData("/x", null, -1));
        Run.refused(NONODE, () -> zk.getChildren("/x", false));
        Run.refused(NONODE, () -> zk.getACL("/x", null));
        Run.refused(NONODE, () -> zk.setACL("/x", OPEN_ACL_UNSAFE, -1));
        Run.refused(NONODE, () -> zk.getAllChildrenNumber("/x"));
        Run.refused(NONODE, () -> delete(zk, "/x", -1));
        Run.refused(BADVERSION, () -> zk.setData("/a", null, 7));
        Run.refused(BADVERSION, () -> zk.setACL("/a", OPEN_ACL_UNSAFE, 7));
        Run.refused(BADVERSION, () -> delete(zk, "/a", 7));
        Run.refused(NOTEMPTY, () -> delete(zk, "/a", 0));
        Run.refused(BADARGUMENTS, () -> delete(zk, "/zookeeper", -1));
        Run.same(Run.counts(zk.exists("/a", false)), "v0 c1 a0 length 0 children 1");
    }

    @Case
    static void children_come_with_and_without_stat(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Run.same(zk.getChildren("/", false), Collections.singletonList("zookeeper"));
        Run.sameUnordered(zk.getChildren("/zookeeper", false), "config", "quota");
        zk.create("/a", Run.bytes("x"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        for (int i = 0; i < 20; i++) {
            zk.create("/a/ä" + i, null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        }
        Stat stat = new Stat();
        List<String> children = zk.getChildren("/a", false, stat);
        Run.same(children.size(), 20);
        Run.same(children.contains("ä7"), true);
        Run.same(Run.counts(stat), "v0 c20 a0 length 1 children 20");
        Run.same(Run.sorted(zk.getChildren("/a", false)), Run.sorted(children));
    }

    /** An answer may be longer than the limit of requests. */
    @Case
    static void a_list_of_children_beyond_a_megabyte(Run run) throws Exception {
        // The client has a limit of its own.
        ZKClientConfig config = new ZKClientConfig();
        config.setProperty(ZKConfig.JUTE_MAXBUFFER, "4194304");
        Events events = new Events();
        ZooKeeper zk = run.ready(new ZooKeeper(run.connect, Run.SESSION_TIMEOUT_MS, events, config), events);
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        String prefix = "/a/" + "x".repeat(240) + "-";
        for (int i = 0; i < 5000; i++) {
            zk.create(prefix, null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL, (rc, path, ctx, name) -> { }, null);
        }
        List<String> children = zk.getChildren("/a", false);
        Run.same(children.size(), 5000);
        Run.same("/a/" + Run.sorted(children).get(4999), prefix + "0000004999");
    }

    @Case
    static void all_children_are_counted(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/a/b/c", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/ab", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Run.same(zk.getAllChildrenNumber("/"), 7);
        Run.same(zk.getAllChildrenNumber("/a"), 2);
        Run.same(zk.getAllChildrenNumber("/a/b/c"), 0);
    }

    @Case
    static void ephemerals_are_listed_by_prefix(Run run) throws Exception {
        ZooKeeper zk = run.client();
        ZooKeeper other = run.client();
        Run.same(zk.getEphemerals(), Collections.emptyList());
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/a/one", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.create("/a/once", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.create("/b", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        other.create("/a/other", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        Run.sameUnordered(zk.getEphemerals(), "/a/one", "/a/once", "/b");
        Run.sameUnordered(zk.getEphemerals("/a/on"), "/a/one", "/a/once");
        Run.sameUnordered(zk.getEphemerals("/x"));
        Run.sameUnordered(other.getEphemerals("/"), "/a/other");
    }

    @Case
    static void sync_answers_for_any_path(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.sync("/");
        zk.sync("/not/there");
        CompletableFuture<String> answer = new CompletableFuture<>();
        zk.sync("/not/there", (rc, path, ctx) -> answer.complete(rc + " " + path), null);
        Run.same(answer.get(Run.DEADLINE_MS, TimeUnit.MILLISECONDS), "0 /not/there");
    }

    @Case
    static void the_configuration_is_empty_and_reconfig_is_refused(Run run) throws Exception {
        try (ZooKeeperAdmin admin = new ZooKeeperAdmin(run.connect, Run.SESSION_TIMEOUT_MS, event -> { })) {
            Stat stat = new Stat();
            Run.sameBytes(admin.getConfig(false, stat), new byte[0]);
            Run.same(stat.getAversion(), -1);
            Run.refused(RECONFIGDISABLED, () -> admin.reconfigure("server.2=127.0.0.1:1:2;3", null, null, -1, null));
        }
    }

    @Case
    static void asynchronous_calls_answer_in_order(Run run) throws Exception {
        ZooKeeper zk = run.client();
        List<String> order = Collections.synchronizedList(new ArrayList<>());
        CompletableFuture<Void> last = new CompletableFuture<>();
        zk.create("/a", Run.bytes("1"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT,
            (rc, path, ctx, name) -> order.add("create " + rc + " " + name), null);
        zk.setData("/a", Run.bytes("2"), 0, (rc, path, ctx, stat) -> order.add("set " + rc + " " + stat.getVersion()), null);
        zk.getData("/a", false, (rc, path, ctx, data, stat) -> order.add("get " + rc + " " + Run.text(data)), null);
        zk.exists("/b", false, (rc, path, ctx, stat) -> order.add("exists " + rc), null);
        zk.getChildren("/a", false, (rc, path, ctx, children, stat) -> order.add("children " + rc + " " + children), null);
        zk.getACL("/a", null, (rc, path, ctx, acl, stat) -> order.add("acl " + rc + " " + acl.size()), null);
        zk.getEphemerals((rc, ctx, paths) -> order.add("ephemerals " + rc + " " + paths), null);
        zk.getAllChildrenNumber("/a", (rc, path, ctx, number) -> order.add("number " + rc + " " + number), null);
        zk.delete("/a", 0, (rc, path, ctx) -> order.add("delete " + rc), null);
        zk.delete("/a", 1, (rc, path, ctx) -> {
            order.add("delete " + rc);
            last.complete(null);
        }, null);
        last.get(Run.DEADLINE_MS, TimeUnit.MILLISECONDS);
        Run.same(order, Arrays.asList("create 0 /a", "set 0 1", "get 0 2", "exists -101", "children 0 []", "acl 0 1",
            "ephemerals 0 []", "number 0 0", "delete -103", "delete 0"));
    }

    @Case
    static void a_thousand_requests_in_flight_are_all_answered(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.create("/n", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        List<CompletableFuture<String>> answers = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            CompletableFuture<String> answer = new CompletableFuture<>();
            answers.add(answer);
            zk.create("/n/", new byte[100], OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL,
                (rc, path, ctx, name) -> answer.complete(rc + " " + name), null);
        }
        for (int i = 0; i < 1000; i++) {
            Run.same(answers.get(i).get(Run.DEADLINE_MS, TimeUnit.MILLISECONDS), String.format("0 /n/%010d", i));
        }
        Run.same(zk.exists("/n", false).getNumChildren(), 1000);
    }

    @Case
    static void a_tree_is_deleted_with_one_call(Run run) throws Exception {
        ZooKeeper zk = run.client();
        for (String path : new String[] {"/t", "/t/a", "/t/a/b", "/t/c"}) {
            zk.create(path, null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        }
        Run.same(ZKUtil.listSubTreeBFS(zk, "/t").size(), 4);
        Run.same(ZKUtil.deleteRecursive(zk, "/t", 10), true);
        Run.same(zk.exists("/t", false), null);
    }

    @Case
    static void a_chroot_is_the_clients_root(Run run) throws Exception {
        ZooKeeper plain = run.client();
        plain.create("/app", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Events events = new Events();
        ZooKeeper zk = run.client("/app", new Events());
        Run.same(zk.exists("/a", events), null);
        Run.same(zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), "/a");
        events.expect("NodeCreated /a");
        Run.same(zk.create("/a/s-", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL), "/a/s-0000000000");
        Run.same(zk.getChildren("/", events), Collections.singletonList("a"));
        plain.create("/app/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        events.expect("NodeChildrenChanged /");
        Run.sameUnordered(plain.getChildren("/app", false), "a", "b");
        Run.refused(NONODE, () -> zk.getData("/app", false, null));
        ZooKeeper nowhere = run.client("/nowhere", new Events());
        Run.refused(NONODE, () -> nowhere.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
    }

    @Case
    static void a_request_beyond_the_limit_costs_the_connection(Run run) throws Exception {
        Events events = new Events();
        ZooKeeper zk = run.client(events);
        zk.create("/a", new byte[1_000_000], OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Run.same(zk.getData("/a", false, null).length, 1_000_000);
        Run.refused(CONNECTIONLOSS, () -> zk.setData("/a", new byte[1_100_000], -1));
        events.until("None SyncConnected null");
        Run.same(zk.exists("/a", false).getVersion(), 0);
    }

    /** Few paths pass the client's own check and are refused by the server. */
    @Case
    static void paths_in_any_script(Run run) throws Exception {
        ZooKeeper zk = run.client();
        for (String path : new String[] {"/zürich", "/東京", "/a b", "/...", "/a.b", "/\u00a0"}) {
            Run.same(zk.create(path, Run.bytes(path), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), path);
            Run.same(Run.text(zk.getData(path, false, null)), path);
        }
    }

    private static Object delete(ZooKeeper zk, String path, int version) throws KeeperException, InterruptedException {
        zk.delete(path, version);
        return "deleted";
    }
}
