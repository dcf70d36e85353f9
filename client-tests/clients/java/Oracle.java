import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.apache.zookeeper.metrics.impl.DefaultMetricsProvider;
import org.apache.zookeeper.server.ContainerManager;
import org.apache.zookeeper.server.RequestProcessor;
import org.apache.zookeeper.server.ServerCnxnFactory;
import org.apache.zookeeper.server.ServerMetrics;
import org.apache.zookeeper.server.ZooKeeperServer;
import org.apache.zookeeper.server.auth.ProviderRegistry;
import org.apache.zookeeper.server.persistence.FileTxnSnapLog;

/**
 * Real ZooKeeper servers in one JVM, created as in ZooKeeperServerMain.runFromConfig, so that a test does not need a JVM
 * of its own. One command a line on standard input, one answer a line:
 *
 * <pre>
 * start DIR           its number and port
 * stop NUMBER         ok; the state stays in DIR
 * start-again NUMBER  ok, on the same port
 * drop NUMBER         ok; its state is deleted
 * expire NUMBER ID    ok; the server expires the session, as its tracker would
 * </pre>
 */
final class Oracle {
    private final Map<Integer, RealServer> servers = new HashMap<>();

    public static void main(String[] args) throws Exception {
        PrintStream answers = System.out;
        System.setOut(System.err);
        ServerMetrics.metricsProviderInitialized(new DefaultMetricsProvider());
        ProviderRegistry.initialize();
        Oracle oracle = new Oracle();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            String answer;
            try {
                answer = oracle.answer(line.split(" "));
            } catch (Exception e) {
                e.printStackTrace();
                answer = "failed " + e;
            }
            answers.println(answer);
            answers.flush();
        }
        // No test uses the servers that still run.
        System.exit(0);
    }

    private String answer(String[] words) throws Exception {
        if (words[0].equals("start")) {
            RealServer server = new RealServer(Path.of(words[1]));
            server.start();
            servers.put(servers.size(), server);
            return (servers.size() - 1) + " " + server.port;
        }
        RealServer server = servers.get(Integer.parseInt(words[1]));
        switch (words[0]) {
            case "stop":
            case "drop":
                server.stop();
                break;
            case "start-again":
                server.start();
                break;
            case "expire":
                server.zooKeeper.closeSession(Long.decode(words[2]));
                break;
            default:
                return "failed: no such command";
        }
        return "ok";
    }

    /** A server that exposes its first request processor, which the container manager needs. */
    private static final class Standalone extends ZooKeeperServer {
        private Standalone(FileTxnSnapLog log) {
            super(null, log, 2000, -1, -1, -1, null, "");
        }

        private RequestProcessor first() {
            return firstProcessor;
        }
    }

    private static final class RealServer {
        private final Path dir;
        private int port;
        private FileTxnSnapLog log;
        private Standalone zooKeeper;
        private ServerCnxnFactory connections;
        private ContainerManager containers;

        private RealServer(Path dir) {
            this.dir = dir;
        }

        private void start() throws Exception {
            Files.createDirectories(dir);
            log = new FileTxnSnapLog(dir.toFile(), dir.toFile());
            zooKeeper = new Standalone(log);
            log.setServerStats(zooKeeper.serverStats());
            connections = ServerCnxnFactory.createFactory();
            connections.configure(new InetSocketAddress("127.0.0.1", port), 0, -1, false);
            connections.startup(zooKeeper);
            port = connections.getLocalPort();
            containers = new ContainerManager(zooKeeper.getZKDatabase(), zooKeeper.first(),
                Integer.getInteger("znode.container.checkIntervalMs"), 10_000, 0);
            containers.start();
        }

        private void stop() throws Exception {
            if (connections == null) {
                return;
            }
            containers.stop();
            connections.shutdown();
            connections.join();
            zooKeeper.shutdown(true);
            log.close();
            connections = null;
        }
    }
}
