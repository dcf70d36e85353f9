import static org.apache.zookeeper.KeeperException.Code.AUTHFAILED;
import static org.apache.zookeeper.KeeperException.Code.INVALIDACL;
import static org.apache.zookeeper.KeeperException.Code.NOAUTH;
import static org.apache.zookeeper.ZooDefs.Ids.CREATOR_ALL_ACL;
import static org.apache.zookeeper.ZooDefs.Ids.OPEN_ACL_UNSAFE;
import static org.apache.zookeeper.ZooDefs.Ids.READ_ACL_UNSAFE;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.ZooDefs.Perms;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.ACL;
import org.apache.zookeeper.data.Id;
import org.apache.zookeeper.data.Stat;
import org.apache.zookeeper.server.auth.DigestAuthenticationProvider;

/** Permissions and authentication. */
final class Access {
    private Access() {
    }

    @Case
    static void acls_are_read_and_set(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.create("/a", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Stat stat = new Stat();
        Run.same(zk.getACL("/a", stat), OPEN_ACL_UNSAFE);
        List<ACL> acl = Arrays.asList(
            new ACL(Perms.READ | Perms.ADMIN, new Id("world", "anyone")),
            new ACL(Perms.WRITE, new Id("ip", "127.0.0.1/8")));
        Stat changed = zk.setACL("/a", acl, 0);
        Run.same(Run.counts(changed), "v0 c0 a1 length 0 children 0");
        Run.same(changed.getMzxid(), stat.getMzxid());
        Run.same(zk.getACL("/a", null), acl);
        zk.setData("/a", null, -1);
        Run.refused(NOAUTH, () -> zk.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
    }

    @Case
    static void a_digest_lets_its_owner_in(Run run) throws Exception {
        ZooKeeper owner = run.client();
        ZooKeeper other = run.client();
        owner.addAuthInfo("digest", Run.bytes("alice:secret"));
        owner.create("/a", Run.bytes("x"), CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        Run.same(owner.getACL("/a", null), Collections.singletonList(
            new ACL(Perms.ALL, new Id("digest", DigestAuthenticationProvider.generateDigest("alice:secret")))));
        Run.refused(NOAUTH, () -> other.getData("/a", false, null));
        Run.refused(NOAUTH, () -> other.setData("/a", null, -1));
        Run.refused(NOAUTH, () -> other.getChildren("/a", false));
        Run.refused(NOAUTH, () -> other.exists("/a", false));
        Run.refused(NOAUTH, () -> other.getACL("/a", null));
        Run.refused(NOAUTH, () -> other.setACL("/a", OPEN_ACL_UNSAFE, -1));
        Run.refused(NOAUTH, () -> other.create("/a/b", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
        other.addAuthInfo("digest", Run.bytes("alice:wrong"));
        Run.refused(NOAUTH, () -> other.getData("/a", false, null));
        other.addAuthInfo("digest", Run.bytes("alice:secret"));
        Run.same(Run.text(other.getData("/a", false, null)), "x");
    }

    @Case
    static void each_permission_opens_its_own_door(Run run) throws Exception {
        ZooKeeper zk = run.client();
        zk.create("/r", Run.bytes("x"), READ_ACL_UNSAFE, CreateMode.PERSISTENT);
        Run.same(Run.text(zk.getData("/r", false, null)), "x");
        Run.refused(NOAUTH, () -> zk.setData("/r", null, -1));
        zk.create("/c", null, acl(Perms.CREATE), CreateMode.PERSISTENT);
        zk.create("/c/x", null, OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
        Run.refused(NOAUTH, () -> {
            zk.delete("/c/x", -1);
            return "deleted";
        });
        Run.refused(NOAUTH, () -> zk.getChildren("/c", false));
        zk.create("/d", null, acl(Perms.CREATE | Perms.DELETE), CreateMode.PERSISTENT);
        zk.create("/d/x", null, acl(0x1f & ~Perms.DELETE), CreateMode.PERSISTENT);
        zk.delete("/d/x", -1);
        zk.create("/w", null, acl(Perms.WRITE), CreateMode.PERSISTENT);
        zk.setData("/w", null, -1);
        Run.refused(NOAUTH, () -> zk.setACL("/w", OPEN_ACL_UNSAFE, -1));
        zk.create("/m", null, acl(Perms.ADMIN), CreateMode.PERSISTENT);
        Run.refused(NOAUTH, () -> zk.getData("/m", false, null));
        zk.setACL("/m", OPEN_ACL_UNSAFE, -1);
        zk.getData("/m", false, null);
    }

    @Case
    static void a_reader_sees_no_digests(Run run) throws Exception {
        ZooKeeper owner = run.client();
        ZooKeeper reader = run.client();
        String digest = DigestAuthenticationProvider.generateDigest("alice:secret");
        List<ACL> acl = new ArrayList<>(READ_ACL_UNSAFE);
        acl.add(new ACL(Perms.ALL, new Id("digest", digest)));
        owner.addAuthInfo("digest", Run.bytes("alice:secret"));
        owner.create("/a", null, acl, CreateMode.PERSISTENT);
        Run.same(owner.getACL("/a", null).get(1).getId().getId(), digest);
        Run.same(reader.getACL("/a", null).get(1).getId().getId(), "alice:x");
    }

    @Case
    static void the_super_user_may_do_all(Run run) throws Exception {
        ZooKeeper owner = run.client();
        owner.addAuthInfo("digest", Run.bytes("alice:secret"));
        owner.create("/a", null, CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        ZooKeeper admin = run.client();
        Run.refused(NOAUTH, () -> admin.setData("/zookeeper/config", null, -1));
        admin.addAuthInfo("digest", Run.bytes("super:test"));
        admin.setData("/a", Run.bytes("x"), -1);
        admin.setACL("/a", READ_ACL_UNSAFE, -1);
        admin.delete("/a", -1);
        admin.setData("/zookeeper/config", Run.bytes(""), -1);
    }

    @Case
    static void bad_acls_are_refused(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Run.refused(INVALIDACL, () -> zk.create("/a", null, CREATOR_ALL_ACL, CreateMode.PERSISTENT));
        Run.refused(INVALIDACL, () -> zk.create("/a", null,
            Collections.singletonList(new ACL(Perms.ALL, new Id("unknown", "x"))), CreateMode.PERSISTENT));
        Run.refused(INVALIDACL, () -> zk.create("/a", null,
            Collections.singletonList(new ACL(Perms.ALL, new Id("ip", "not an address"))), CreateMode.PERSISTENT));
        Run.same(zk.exists("/a", false), null);
    }

    @Case
    static void an_unknown_scheme_fails_the_client(Run run) throws Exception {
        Events events = new Events();
        ZooKeeper zk = run.client(events);
        zk.addAuthInfo("unknown", Run.bytes("x"));
        events.until("None AuthFailed null");
        Run.refused(AUTHFAILED, () -> zk.exists("/", false));
    }

    @Case
    static void a_client_knows_who_it_is(Run run) throws Exception {
        ZooKeeper zk = run.client();
        Run.same(who(zk), "[ip 127.0.0.1]");
        zk.addAuthInfo("digest", Run.bytes("alice:secret"));
        zk.addAuthInfo("digest", Run.bytes("super:test"));
        Run.same(who(zk), "[digest alice, digest super, ip 127.0.0.1, super ]");
    }

    @Case
    static void a_client_authenticates_anew_after_a_restart(Run run) throws Exception {
        Events events = new Events();
        ZooKeeper zk = run.client(events);
        zk.addAuthInfo("digest", Run.bytes("alice:secret"));
        zk.create("/a", Run.bytes("x"), CREATOR_ALL_ACL, CreateMode.PERSISTENT);
        run.restart();
        events.until("None SyncConnected null");
        Run.same(Run.text(zk.getData("/a", false, null)), "x");
        ZooKeeper other = run.client();
        Run.refused(NOAUTH, () -> other.getData("/a", false, null));
    }

    private static List<ACL> acl(int permissions) {
        return Collections.singletonList(new ACL(permissions, new Id("world", "anyone")));
    }

    private static String who(ZooKeeper zk) throws InterruptedException {
        List<String> who = new ArrayList<>();
        zk.whoAmI().forEach(info -> who.add(info.getAuthScheme() + " " + info.getUser()));
        return Run.sorted(who).toString();
    }
}
