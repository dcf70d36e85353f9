import java.io.ByteArrayOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.zookeeper.ZooKeeperMain;
import org.apache.zookeeper.util.ServiceUtils;

/**
 * zkCli: the unmodified ZooKeeperMain with a script on its standard input, and all that it prints. A JVM has one run at
 * a time, since standard input and output are the JVM's.
 */
final class Cli {
    /** One stream for all runs: zkCli's commands use the System.out of the moment when they were loaded. */
    private static final Printed PRINTED = new Printed();
    private static final PrintStream PRINTER = new PrintStream(PRINTED, true, StandardCharsets.UTF_8);

    private Cli() {
    }

    /** Runs a script to its end and prints its lines, the output of each, and last the output of the watcher's thread. */
    static void run(Run run, String... script) throws Exception {
        PRINTED.clear();
        InputStream in = System.in;
        PrintStream out = System.out;
        PrintStream err = System.err;
        System.setIn(new Script(script, PRINTER));
        System.setOut(PRINTER);
        System.setErr(PRINTER);
        ServiceUtils.setSystemExitProcedure(code -> {
            throw new Exit(code);
        });
        try {
            ZooKeeperMain.main(new String[] {"-server", run.connect, "-waitforconnection"});
            throw new AssertionError("it came back");
        } catch (Exit exit) {
            PRINTER.println("exit " + exit.code);
        } finally {
            joinEventThreads();
            System.setIn(in);
            System.setOut(out);
            System.setErr(err);
        }
        sortUsers(PRINTED.lines(PRINTED.main)).forEach(run::say);
        run.say("--- watcher");
        PRINTED.lines(PRINTED.watcher).forEach(run::say);
    }

    /** Sorts the output of whoami, which lists a hash set. */
    private static List<String> sortUsers(List<String> lines) {
        for (int i = 0; i < lines.size(); i++) {
            if (lines.get(i).equals("Auth scheme: User")) {
                int end = i + 1;
                while (!lines.get(end).startsWith("> ")) {
                    end++;
                }
                Collections.sort(lines.subList(i + 1, end));
            }
        }
        return lines;
    }

    /** Output of a watcher comes from its client's event thread, which ends when all is printed and the client is closed. */
    private static void joinEventThreads() throws InterruptedException {
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getName().endsWith("-EventThread")) {
                thread.join(Run.DEADLINE_MS);
            }
        }
    }

    private static final class Exit extends Error {
        private static final long serialVersionUID = 1;
        private final int code;

        private Exit(int code) {
            this.code = code;
        }
    }

    /** Returns one line at a time, and prints it when it is read: all lines before it have been executed then. */
    private static final class Script extends InputStream {
        private final Deque<String> lines = new ArrayDeque<>();
        private final PrintStream echo;

        private Script(String[] lines, PrintStream echo) {
            for (String line : lines) {
                this.lines.add(line);
            }
            this.echo = echo;
        }

        @Override
        public int read() {
            throw new UnsupportedOperationException("lines are read whole");
        }

        @Override
        public int read(byte[] buffer, int offset, int length) {
            if (lines.isEmpty()) {
                return -1;
            }
            String line = lines.remove();
            echo.println("> " + line);
            byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
            System.arraycopy(bytes, 0, buffer, offset, bytes.length);
            return bytes.length;
        }

        @Override
        public int available() {
            return 0;
        }
    }

    /** Separates the output of event threads from the rest, since its time is not determined. */
    private static final class Printed extends FilterOutputStream {
        private final ByteArrayOutputStream main = new ByteArrayOutputStream();
        private final ByteArrayOutputStream watcher = new ByteArrayOutputStream();

        private Printed() {
            super(null);
        }

        private synchronized void clear() {
            main.reset();
            watcher.reset();
        }

        @Override
        public synchronized void write(int b) {
            mine().write(b);
        }

        @Override
        public synchronized void write(byte[] bytes, int offset, int length) {
            mine().write(bytes, offset, length);
        }

        @Override
        public void flush() throws IOException {
            // No output is buffered.
        }

        private ByteArrayOutputStream mine() {
            return Thread.currentThread().getName().endsWith("-EventThread") ? watcher : main;
        }

        private synchronized List<String> lines(ByteArrayOutputStream part) {
            return part.toString(StandardCharsets.UTF_8).lines().collect(Collectors.toList());
        }
    }
}
