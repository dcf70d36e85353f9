import static org.apache.zookeeper.AddWatchMode.PERSISTENT;
import static org.apache.zookeeper.AddWatchMode.PERSISTENT_RECURSIVE;
import static org.apache.zookeeper.KeeperException.Code.NONODE;
import static org.apache.zookeeper.KeeperException.Code.NOWATCHER;
import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;

import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher.WatcherType;
import org.apache.zookeeper.ZooKeeper;

/** Events of the Java client. */
final class Watches {
    private Watches() {
    }

    @Case
    static void a_one_shot_watch_fires_once(Run run) throws Exception {
        ZooKeeper zk = run.client();
        ZooKeeper other = run.client();
        Events events = new Events();
        Run.same(zk.exists("/a", events), null);
        other.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        events.expect("NodeCreated /a");
        zk.getData("/a", events, null);
        other.setData("/a", null, -1);
        other.setData("/a", null, -1);
        events.expect("NodeDataChanged /a");
        zk.getChildren("/a", events);
        other.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        events.expect("NodeChildrenChanged /a");
        zk.getChildren("/a", events);
        zk.getData("/a", events, null);
        other.delete("/a/b", -1);
        events.expect("NodeChildrenChanged /a");
        other.delete("/a", -1);
        events.expect("NodeDeleted /a");
        zk.sync("/");
        events.expectNone();
    }

    @Case
    static void an_event_carries_the_zxid_of_its_change(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Events events = new Events();
        zk.exists("/a", events);
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        WatchedEvent event = events.next();
        Run.same(event.getZxid(), zk.exists("/a", false).getCzxid());
    }

    @Case
    static void a_read_of_nothing_leaves_no_watch(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Events events = new Events();
        Run.refused(NONODE, () -> zk.getData("/a", events, null));
        Run.refused(NONODE, () -> zk.getChildren("/a", events));
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.setData("/a", null, -1);
        zk.sync("/");
        events.expectNone();
    }

    @Case
    static void several_watchers_of_one_client_all_get_the_event(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Events one = new Events();
        Events two = new Events();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.getData("/a", one, null);
        zk.exists("/a", two);
        zk.setData("/a", null, -1);
        one.expect("NodeDataChanged /a");
        two.expect("NodeDataChanged /a");
    }

    @Case
    static void a_persistent_watch_stays(Run run) throws Exception {
        ZooKeeper zk = run.client();
        ZooKeeper other = run.client();
        Events events = new Events();
        zk.addWatch("/a", events, PERSISTENT);
        for (int i = 0; i < 2; i++) {
            other.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            other.setData("/a", null, -1);
            other.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            other.create("/a/b/c", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            other.delete("/a/b/c", -1);
            other.delete("/a/b", -1);
            other.delete("/a", -1);
            events.expect("NodeCreated /a", "NodeDataChanged /a", "NodeChildrenChanged /a", "NodeChildrenChanged /a",
                "NodeDeleted /a");
        }
        zk.sync("/");
        events.expectNone();
    }

    @Case
    static void a_recursive_watch_sees_the_whole_subtree(Run run) throws Exception {
        ZooKeeper zk = run.client();
        ZooKeeper other = run.client();
        Events events = new Events();
        zk.addWatch("/a", events, PERSISTENT_RECURSIVE);
        other.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        other.create("/ab", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        other.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        other.create("/a/b/c", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        other.setData("/a/b", null, -1);
        other.close();
        zk.delete("/a/b", -1);
        events.expect("NodeCreated /a", "NodeCreated /a/b", "NodeCreated /a/b/c", "NodeDataChanged /a/b",
            "NodeDeleted /a/b/c", "NodeDeleted /a/b");
        zk.sync("/");
        events.expectNone();
    }

    @Case
    static void the_default_watcher_can_watch_persistently(Run run) throws Exception {
        Events events = new Events();
        ZooKeeper zk = run.client(events);
        zk.addWatch("/", PERSISTENT_RECURSIVE);
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        events.expect("NodeCreated /a");
    }

    @Case
    static void a_persistent_and_a_one_shot_watch_stand_side_by_side(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Events persistent = new Events();
        Events once = new Events();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.addWatch("/a", persistent, PERSISTENT);
        zk.getData("/a", once, null);
        zk.setData("/a", null, -1);
        zk.setData("/a", null, -1);
        once.expect("NodeDataChanged /a");
        persistent.expect("NodeDataChanged /a", "NodeDataChanged /a");
        zk.sync("/");
        once.expectNone();
    }

    @Case
    static void watches_are_removed(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Events data = new Events();
        Events child = new Events();
        Events persistent = new Events();
        Events recursive = new Events();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.getData("/a", data, null);
        zk.getChildren("/a", child);
        zk.removeWatches("/a", data, WatcherType.Data, false);
        data.expect("DataWatchRemoved /a");
        Run.refused(NOWATCHER, () -> {
            zk.removeWatches("/a", data, WatcherType.Any, false);
            return "removed";
        });
        zk.removeAllWatches("/a", WatcherType.Children, false);
        child.expect("ChildWatchRemoved /a");
        zk.addWatch("/a", persistent, PERSISTENT);
        zk.removeWatches("/a", persistent, WatcherType.Any, false);
        persistent.expect("PersistentWatchRemoved /a");
        zk.addWatch("/a", recursive, PERSISTENT_RECURSIVE);
        zk.removeAllWatches("/a", WatcherType.Any, false);
        recursive.expect("PersistentWatchRemoved /a");
        zk.setData("/a", null, -1);
        zk.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.sync("/");
        data.expectNone();
        child.expectNone();
        persistent.expectNone();
        recursive.expectNone();
    }

    @Case
    static void one_of_two_watchers_is_removed(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Events one = new Events();
        Events two = new Events();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.getData("/a", one, null);
        zk.getData("/a", two, null);
        zk.removeWatches("/a", one, WatcherType.Data, false);
        one.expect("DataWatchRemoved /a");
        zk.setData("/a", null, -1);
        two.expect("NodeDataChanged /a");
        one.expectNone();
    }

    @Case
    static void the_expiry_of_an_owner_fires_a_watch(Run run) throws Exception {
        ZooKeeper owner = run.client();
        ZooKeeper zk = run.client();
        Events events = new Events();
        owner.create("/e", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.exists("/e", events);
        run.expire(owner);
        events.expect("NodeDeleted /e");
    }
}
