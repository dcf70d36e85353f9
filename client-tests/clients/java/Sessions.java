import static org.apache.zookeeper.KeeperException.Code.SESSIONEXPIRED;
import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;

import java.net.InetSocketAddress;
import java.util.Collection;
import java.util.concurrent.Semaphore;
import org.apache.zookeeper.AddWatchMode;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.ZooKeeper.States;
import org.apache.zookeeper.client.ConnectStringParser;
import org.apache.zookeeper.client.HostProvider;
import org.apache.zookeeper.client.StaticHostProvider;

/** Connections and their sessions. */
final class Sessions {
    private Sessions() {
    }

    @Case
    static void the_timeout_is_negotiated(Run run) throws Exception {
        for (int[] asked : new int[][] {{1000, 4000}, {20_000, 20_000}, {1_000_000, 40_000}}) {
            Events events = new Events();
            ZooKeeper zk = run.ready(new ZooKeeper(run.connect, asked[0], events), events);
            Run.same(zk.getSessionTimeout(), asked[1]);
            Run.same(zk.getSessionPasswd().length, 16);
            Run.same(zk.getSessionId() >>> 56 > 0 || zk.getSessionId() > 0, true);
        }
    }

    @Case
    static void a_session_outlives_a_restart_of_the_server(Run run) throws Exception {
        Events events = new Events();
        ZooKeeper zk = run.client(events);
        long session = zk.getSessionId();
        zk.create("/e", Run.bytes("x"), OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        run.restart();
        events.until("None SyncConnected null");
        Run.same(zk.getSessionId(), session);
        Run.same(Run.text(zk.getData("/e", false, null)), "x");
        Run.same(zk.exists("/e", false).getEphemeralOwner(), session);
    }

    @Case
    static void watches_outlive_a_restart_of_the_server(Run run) throws Exception {
        Events session = new Events();
        ZooKeeper zk = run.client(session);
        Events data = new Events();
        Events child = new Events();
        Events exist = new Events();
        Events persistent = new Events();
        Events recursive = new Events();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.getData("/a", data, null);
        zk.getChildren("/a", child);
        zk.exists("/b", exist);
        zk.addWatch("/p", persistent, AddWatchMode.PERSISTENT);
        zk.addWatch("/r", recursive, AddWatchMode.PERSISTENT_RECURSIVE);
        run.restart();
        session.until("None SyncConnected null");
        for (Events events : new Events[] {data, child, exist, persistent, recursive}) {
            events.until("None SyncConnected null");
        }
        zk.setData("/a", null, -1);
        data.expect("NodeDataChanged /a");
        zk.create("/a/c", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        child.expect("NodeChildrenChanged /a");
        zk.create("/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        exist.expect("NodeCreated /b");
        zk.create("/p", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        persistent.expect("NodeCreated /p");
        zk.create("/r", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.create("/r/s", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        recursive.expect("NodeCreated /r", "NodeCreated /r/s");
    }

    /** More than 128 KB of paths: the client registers them again in several requests. */
    @Case
    static void many_watches_outlive_a_restart_of_the_server(Run run) throws Exception {
        Events session = new Events();
        ZooKeeper zk = run.client(session);
        Events events = new Events();
        String folder = "/" + "x".repeat(200);
        zk.create(folder, null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        String[] expected = new String[2000];
        for (int i = 0; i < expected.length; i++) {
            expected[i] = "NodeCreated " + folder + "/" + i;
            zk.exists(folder + "/" + i, events, (rc, path, ctx, stat) -> { }, null);
        }
        zk.sync("/");
        run.restart();
        session.until("None SyncConnected null");
        events.expect("None Disconnected null", "None SyncConnected null");
        for (int i = 0; i < expected.length; i++) {
            zk.create(folder + "/" + i, null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, (rc, path, ctx, name) -> { }, null);
        }
        events.expect(expected);
    }

    @Case
    static void a_returning_client_gets_the_events_that_it_missed(Run run) throws Exception {
        Events session = new Events();
        ZooKeeper owner = run.client();
        ZooKeeper zk = run.client(session);
        Events gone = new Events();
        Events children = new Events();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        owner.create("/a/e", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.exists("/a/e", gone);
        zk.getChildren("/a", children);
        // The server removes the owner's session before the watcher's client can connect: both use the same processor.
        run.stop();
        session.until("None Disconnected null");
        run.startAgain();
        run.expire(owner);
        gone.until("NodeDeleted /a/e");
        children.until("NodeChildrenChanged /a");
    }

    @Case
    static void a_session_moves_to_a_second_connection(Run run) throws Exception {
        Events events = new Events();
        Gate gate = new Gate(run.connect);
        ZooKeeper first = run.ready(new ZooKeeper(run.connect, Run.SESSION_TIMEOUT_MS, events, false, gate), events);
        first.create("/e", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        gate.shut();
        ZooKeeper second = second(run, first);
        Run.same(second.getSessionId(), first.getSessionId());
        events.expect("None Disconnected null");
        Run.same(second.exists("/e", false).getEphemeralOwner(), first.getSessionId());
        gate.open();
        // It resumes the session.
        events.until("None SyncConnected null");
    }

    @Case
    static void a_second_connection_ends_a_session(Run run) throws Exception {
        Events events = new Events();
        Gate gate = new Gate(run.connect);
        ZooKeeper first = run.ready(new ZooKeeper(run.connect, Run.SESSION_TIMEOUT_MS, events, false, gate), events);
        ZooKeeper other = run.client();
        first.create("/e", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        gate.shut();
        second(run, first).close();
        gate.open();
        events.until("None Expired null");
        Run.same(other.exists("/e", false), null);
        Run.refused(SESSIONEXPIRED, () -> first.exists("/", false));
        Run.same(first.getState(), States.CLOSED);
    }

    @Case
    static void a_wrong_password_is_an_expired_session(Run run) throws Exception {
        ZooKeeper first = run.client();
        Events events = new Events();
        new ZooKeeper(run.connect, Run.SESSION_TIMEOUT_MS, events, first.getSessionId(), new byte[16]);
        events.until("None Expired null");
    }

    @Case
    static void the_server_expires_a_session(Run run) throws Exception {
        Events events = new Events();
        ZooKeeper zk = run.client(events);
        ZooKeeper other = run.client();
        Events watched = new Events();
        zk.create("/e", null, OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        zk.getData("/a", watched, null);
        run.expire(zk);
        events.until("None Expired null");
        watched.until("None Expired null");
        Run.refused(SESSIONEXPIRED, () -> zk.exists("/", false));
        Run.same(other.exists("/e", false), null);
        Run.same(other.exists("/a", false) == null, false);
    }

    @Case
    static void a_closed_client_says_so(Run run) throws Exception {
        Events events = new Events();
        ZooKeeper zk = run.client(events);
        Run.same(zk.close((int) Run.DEADLINE_MS), true);
        events.until("None Closed null");
        Run.refused(SESSIONEXPIRED, () -> zk.exists("/", false));
    }

    @Case
    static void a_client_that_may_read_only_gets_a_full_session(Run run) throws Exception {
        Events events = new Events();
        ZooKeeper zk = run.ready(new ZooKeeper(run.connect, Run.SESSION_TIMEOUT_MS, events, true), events);
        Run.same(zk.getState(), States.CONNECTED);
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    }

    private static ZooKeeper second(Run run, ZooKeeper first) throws Exception {
        Events events = new Events();
        return run.ready(new ZooKeeper(run.connect, Run.SESSION_TIMEOUT_MS, events, first.getSessionId(),
            first.getSessionPasswd()), events);
    }

    /** While it is shut, a client that lost its connection does not try the next server. */
    private static final class Gate implements HostProvider {
        private final HostProvider hosts;
        private final Semaphore way = new Semaphore(1);

        private Gate(String connect) {
            hosts = new StaticHostProvider(new ConnectStringParser(connect).getServerAddresses());
        }

        private void shut() throws InterruptedException {
            way.acquire();
        }

        private void open() {
            way.release();
        }

        @Override
        public int size() {
            return hosts.size();
        }

        @Override
        public InetSocketAddress next(long spinDelay) {
            way.acquireUninterruptibly();
            way.release();
            return hosts.next(spinDelay);
        }

        @Override
        public void onConnected() {
            hosts.onConnected();
        }

        @Override
        public boolean updateServerList(Collection<InetSocketAddress> addresses, InetSocketAddress current) {
            return hosts.updateServerList(addresses, current);
        }
    }
}
