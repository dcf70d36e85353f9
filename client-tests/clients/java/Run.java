import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/** One test's server and clients, and the few checks that tests share. */
final class Run implements AutoCloseable {
    /** Maximum duration of a step of a test. */
    static final long DEADLINE_MS = 10_000;
    static final int SESSION_TIMEOUT_MS = 20_000;

    final String connect;
    private final Deque<ZooKeeper> clients = new ArrayDeque<>();

    Run(String connect) {
        this.connect = connect;
    }

    /** A connected client whose session events are discarded. */
    ZooKeeper client() throws Exception {
        return client("", new Events());
    }

    /** A connected client whose default watcher is {@code events}; the first event, SyncConnected, is taken. */
    ZooKeeper client(Events events) throws Exception {
        return client("", events);
    }

    ZooKeeper client(String chroot, Events events) throws Exception {
        return ready(new ZooKeeper(connect + chroot, SESSION_TIMEOUT_MS, events), events);
    }

    ZooKeeper ready(ZooKeeper client, Events events) {
        clients.push(client);
        events.expect("None SyncConnected null");
        return client;
    }

    void restart() {
        Driver.ask("restart");
    }

    void stop() {
        Driver.ask("stop");
    }

    void startAgain() {
        Driver.ask("start-again");
    }

    void expire(ZooKeeper client) {
        String password = String.format("%032x", new BigInteger(1, client.getSessionPasswd()));
        Driver.ask("expire " + client.getSessionId() + " " + password);
    }

    /** Prints a line that must be the same on a real server. */
    void say(String line) {
        Driver.tell("| " + line);
    }

    @Override
    public void close() {
        try {
            while (!clients.isEmpty()) {
                clients.pop().close(1000);
            }
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    static void same(Object actual, Object expected) {
        if (!Objects.equals(actual, expected)) {
            throw new AssertionError("got " + actual + ", expected " + expected);
        }
    }

    static void sameBytes(byte[] actual, byte[] expected) {
        if (!Arrays.equals(actual, expected)) {
            throw new AssertionError("got " + Arrays.toString(actual) + ", expected " + Arrays.toString(expected));
        }
    }

    /** Compares elements in any order; ZooKeeper defines no order of children. */
    static void sameUnordered(Collection<String> actual, String... expected) {
        same(sorted(actual), sorted(Arrays.asList(expected)));
    }

    static List<String> sorted(Collection<String> names) {
        List<String> sorted = new ArrayList<>(names);
        Collections.sort(sorted);
        return sorted;
    }

    static void refused(KeeperException.Code code, Callable<?> operation) throws Exception {
        Object answer;
        try {
            answer = operation.call();
        } catch (KeeperException e) {
            same(e.code(), code);
            return;
        }
        throw new AssertionError("got " + answer + ", expected " + code);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] data) {
        return data == null ? null : new String(data, StandardCharsets.UTF_8);
    }

    /** A stat's counters and sizes: version, cversion, aversion, ephemeral or not, data length, children. */
    static String counts(Stat stat) {
        return "v" + stat.getVersion() + " c" + stat.getCversion() + " a" + stat.getAversion()
            + (stat.getEphemeralOwner() == 0 ? "" : " ephemeral")
            + " length " + stat.getDataLength() + " children " + stat.getNumChildren();
    }
}
