// docker/build; mvn test

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.junit.jupiter.api.Test;
import org.testcontainers.containers.GenericContainer;
import org.testcontainers.containers.wait.strategy.Wait;

class LeaderTest {
    @Test
    void leaderLosesItsSession() throws Exception {
        try (GenericContainer<?> container = new GenericContainer<>("minikeeper")
                .withImagePullPolicy(image -> false)
                .withExposedPorts(2181, 2180)
                .withEnv("MINIKEEPER_CONTROL", "0.0.0.0:2180")
                .withEnv("MINIKEEPER_CONTROL_TOKEN", "secret")
                .waitingFor(Wait.forHealthcheck())) {
            container.start();
            var host = container.getHost();
            var connected = new CountDownLatch(1);
            var expired = new CountDownLatch(1);
            var client = new ZooKeeper(host + ":" + container.getMappedPort(2181), 10_000, event -> {
                if (event.getState() == KeeperState.SyncConnected) {
                    connected.countDown();
                } else if (event.getState() == KeeperState.Expired) {
                    expired.countDown();
                }
            });
            assertTrue(connected.await(10, TimeUnit.SECONDS));
            client.create("/leader", "me".getBytes(), ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);

            var url = String.format("http://%s:%d/v1/servers/main/sessions/0x%x/expire",
                    host, container.getMappedPort(2180), client.getSessionId());
            var request = HttpRequest.newBuilder(URI.create(url))
                    .header("Authorization", "Bearer secret")
                    .header("Content-Type", "application/json")
                    .POST(HttpRequest.BodyPublishers.ofString("{}"))
                    .build();
            var response = HttpClient.newHttpClient().send(request, BodyHandlers.ofString());
            assertEquals(200, response.statusCode(), response.body());
            assertTrue(response.body().contains("\"deleted\":[\"/leader\"]"), response.body());
            assertTrue(expired.await(10, TimeUnit.SECONDS));
            client.close();
        }
    }
}
