import static org.apache.zookeeper.KeeperException.Code.BADVERSION;
import static org.apache.zookeeper.KeeperException.Code.NODEEXISTS;
import static org.apache.zookeeper.KeeperException.Code.NONODE;
import static org.apache.zookeeper.KeeperException.Code.NOTEMPTY;
import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.CreateOptions;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.ZooDefs.OpCode;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** Several operations as one. */
final class Multi {
    private Multi() {
    }

    @Case
    static void all_operations_take_effect_with_one_zxid(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.create("/old", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        List<OpResult> results = zk.multi(Arrays.asList(
            Op.check("/old", 0),
            Op.create("/a", Run.bytes("1"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.create("/a/s-", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL),
            Op.setData("/a", Run.bytes("22"), 0),
            Op.delete("/old", 0)));
        Run.same(results.get(0), new OpResult.CheckResult());
        Run.same(((OpResult.CreateResult) results.get(1)).getPath(), "/a");
        Run.same(((OpResult.CreateResult) results.get(2)).getPath(), "/a/s-0000000000");
        Stat set = ((OpResult.SetDataResult) results.get(3)).getStat();
        Run.same(Run.counts(set), "v1 c1 a0 length 2 children 1");
        Run.same(results.get(4), new OpResult.DeleteResult());
        Stat stat = zk.exists("/a", false);
        Run.same(stat.getCzxid(), stat.getMzxid());
        Run.same(zk.exists("/a/s-0000000000", false).getCzxid(), stat.getCzxid());
        Run.same(zk.exists("/old", false), null);
    }

    @Case
    static void every_kind_of_create_gives_its_result(Run run) throws Exception {
        ZooKeeper zk = run.client();
        List<OpResult> results = zk.multi(Arrays.asList(
            Op.create("/plain", null, OPEN_ACL_UNSAFE, 0),
            Op.create("/container", null, OPEN_ACL_UNSAFE, CreateMode.CONTAINER),
            Op.create("/ttl", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_WITH_TTL, 1_000_000),
            Op.create("/options", null, CreateOptions.newBuilder(OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL)
                .withTtl(1_000_000).build())));
        Run.same(describe(results), "[create /plain, create2 /container stat, create2 /ttl stat, "
            + "create2 /options0000000003 stat]");
    }

    @Case
    static void a_failed_multi_changes_nothing_and_names_the_culprit(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Events events = new Events();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.exists("/new", events);
        zk.getData("/a", events, null);
        try {
            zk.multi(Arrays.asList(
                Op.create("/new", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.setData("/a", Run.bytes("x"), -1),
                Op.check("/a", 7),
                Op.delete("/a", -1)));
            throw new AssertionError("it should have failed");
        } catch (KeeperException e) {
            Run.same(e.code(), BADVERSION);
            Run.same(describe(e.getResults()), "[error 0, error 0, error -103, error -2]");
        }
        Run.same(zk.exists("/new", false), null);
        Run.same(Run.counts(zk.exists("/a", false)), "v0 c0 a0 length 0 children 0");
        events.expectNone();
    }

    @Case
    static void later_operations_see_earlier_ones(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.multi(Arrays.asList(
            Op.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.setData("/a/b", null, 0),
            Op.check("/a/b", 1),
            Op.delete("/a/b", 1),
            Op.create("/a/b", Run.bytes("again"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)));
        Run.same(Run.text(zk.getData("/a/b", false, null)), "again");
        Run.same(Run.counts(zk.exists("/a", false)), "v0 c3 a0 length 0 children 1");
    }

    @Case
    static void refusals_inside_a_multi(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Run.refused(NODEEXISTS, () -> zk.multi(one(Op.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT))));
        Run.refused(NONODE, () -> zk.multi(one(Op.delete("/x", -1))));
        Run.refused(NONODE, () -> zk.multi(one(Op.check("/x", -1))));
        Run.refused(NOTEMPTY, () -> zk.multi(one(Op.delete("/a", -1))));
        Run.same(zk.multi(Collections.emptyList()), Collections.emptyList());
    }

    @Case
    static void a_transaction_builds_a_multi(Run run) throws Exception {
        ZooKeeper zk = run.client();
        List<OpResult> results = zk.transaction()
            .create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)
            .setData("/a", Run.bytes("x"), 0)
            .check("/a", 1)
            .delete("/a", 1)
            .commit();
        Run.same(describe(results), "[create /a, set v1, check, delete]");
    }

    @Case
    static void a_multi_fires_watches_once_applied(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Events events = new Events();
        zk.exists("/a", events);
        zk.getChildren("/", events);
        zk.multi(Arrays.asList(
            Op.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.setData("/a", null, -1),
            Op.create("/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT)));
        events.expect("NodeCreated /a", "NodeChildrenChanged /");
        zk.sync("/");
        events.expectNone();
    }

    @Case
    static void reads_in_one_request_answer_one_by_one(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.create("/a", Run.bytes("x"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Run.same(describe(zk.multi(Arrays.asList(Op.getData("/a"), Op.getData("/x"), Op.getChildren("/a")))),
            "[data x, error -101, children [b]]");
    }

    @Case
    static void an_asynchronous_multi_answers_its_callback(Run run) throws Exception {
        ZooKeeper zk = run.client();
        CompletableFuture<String> answer = new CompletableFuture<>();
        zk.multi(Arrays.asList(
            Op.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
            Op.delete("/x", -1)), (rc, path, ctx, results) -> answer.complete(rc + " " + describe(results)), null);
        Run.same(answer.get(Run.DEADLINE_MS, TimeUnit.MILLISECONDS), "-101 [error 0, error -101]");
    }

    @Case
    static void a_multi_under_a_chroot(Run run) throws Exception {
        ZooKeeper plain = run.client();
        plain.create("/app", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        ZooKeeper zk = run.client("/app", new Events());
        Run.same(describe(zk.multi(Arrays.asList(
            Op.create("/a", Run.bytes("x"), OPEN_ACL_UNSAFE, CreateMode.PERSISTENT), Op.check("/a", 0)))),
            // This client does not remove the chroot here.
            "[create /app/a, check]");
        Run.same(Run.text(plain.getData("/app/a", false, null)), "x");
    }

    private static List<Op> one(Op op) {
        return Collections.singletonList(op);
    }

    private static String describe(List<OpResult> results) {
        List<String> words = new ArrayList<>();
        for (OpResult result : results) {
            if (result instanceof OpResult.CreateResult) {
                OpResult.CreateResult create = (OpResult.CreateResult) result;
                words.add((create.getType() == OpCode.create2 ? "create2 " : "create ") + create.getPath()
                    + (create.getStat() == null ? "" : " stat"));
            } else if (result instanceof OpResult.SetDataResult) {
                words.add("set v" + ((OpResult.SetDataResult) result).getStat().getVersion());
            } else if (result instanceof OpResult.GetDataResult) {
                words.add("data " + Run.text(((OpResult.GetDataResult) result).getData()));
            } else if (result instanceof OpResult.GetChildrenResult) {
                words.add("children " + Run.sorted(((OpResult.GetChildrenResult) result).getChildren()));
            } else if (result instanceof OpResult.ErrorResult) {
                words.add("error " + ((OpResult.ErrorResult) result).getErr());
            } else {
                words.add(result instanceof OpResult.CheckResult ? "check" : "delete");
            }
        }
        return words.toString();
    }
}
