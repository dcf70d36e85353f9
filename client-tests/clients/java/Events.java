import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;

/** A watcher that queues its events, as "TYPE STATE PATH" for sessions and "TYPE PATH" for znodes. */
final class Events implements Watcher {
    private final BlockingQueue<WatchedEvent> received = new LinkedBlockingQueue<>();

    @Override
    public void process(WatchedEvent event) {
        received.add(event);
    }

    WatchedEvent next() {
        try {
            WatchedEvent event = received.poll(Run.DEADLINE_MS, TimeUnit.MILLISECONDS);
            if (event == null) {
                throw new AssertionError("no event within " + Run.DEADLINE_MS + " ms");
            }
            return event;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    String nextText() {
        return text(next());
    }

    void expect(String... expected) {
        for (String one : expected) {
            Run.same(nextText(), one);
        }
    }

    void expectUnordered(String... expected) {
        List<String> actual = new ArrayList<>();
        for (int i = 0; i < expected.length; i++) {
            actual.add(nextText());
        }
        Run.sameUnordered(actual, expected);
    }

    /** Takes session events until this one: a lost connection causes a varying number of events. */
    void until(String expected) {
        List<String> before = Collections.synchronizedList(new ArrayList<>());
        for (String event = nextText(); !event.equals(expected); event = nextText()) {
            before.add(event);
            if (before.size() > 50) {
                throw new AssertionError("no " + expected + " among " + before);
            }
        }
    }

    /** Checks that no event has come. Call it only after an answer that must come later than the events. */
    void expectNone() {
        if (!received.isEmpty()) {
            throw new AssertionError("unexpected " + received);
        }
    }

    static String text(WatchedEvent event) {
        return event.getType() == Event.EventType.None
            ? "None " + event.getState() + " " + event.getPath()
            : event.getType() + " " + event.getPath();
    }
}
