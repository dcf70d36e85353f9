/** Scripts for zkCli; each prints the complete output. */
final class ZkCli {
    private ZkCli() {
    }

    @Case
    static void create_in_every_mode(Run run) throws Exception {
        Cli.run(run,
            "create /plain",
            "create /data hello",
            "create /quoted \"two words\"",
            "create -e /ephemeral mine",
            "create -s /data/s- x",
            "create -s -e /data/es- x",
            "create -c /container x",
            "create -t 1000000 /ttl x",
            "create -s -t 1000000 /ttl- x",
            "create /acl x world:anyone:r",
            "create /plain again",
            "create /no/parent x",
            "create /ephemeral/child x",
            "create -c -e /both",
            "create -t 5 -e /both",
            "create -t nonsense /ttl2",
            "create relative",
            "create /slash/",
            "create",
            "ls /",
            "ls -R /data",
            "stat /ephemeral",
            "stat /container",
            "stat /ttl",
            "stat /data",
            "stat /",
            "quit");
    }

    @Case
    static void get_set_and_stat(Run run) throws Exception {
        Cli.run(run,
            "create /a one",
            "create /null",
            "get /a",
            "get /null",
            "get -s /a",
            "get -b /a",
            "get -x /a",
            "set /a two",
            "set -s /a three",
            "set -v 2 /a four",
            "set -v 2 /a five",
            "set -b /a aGVsbG8=",
            "get /a",
            "set /x y",
            "get /x",
            "stat /a",
            "stat /x",
            "get",
            "set /a",
            "quit");
    }

    @Case
    static void watches_print_their_events(Run run) throws Exception {
        Cli.run(run,
            "create /a one",
            "get -w /a",
            "set /a two",
            "set /a three",
            "ls -w /a",
            "create /a/b x",
            "stat -w /a/b",
            "delete /a/b",
            "config -w",
            "quit");
    }

    @Case
    static void persistent_watches(Run run) throws Exception {
        Cli.run(run,
            "addWatch /a",
            "addWatch -m PERSISTENT /b",
            "addWatch -m PERSISTENT_RECURSIVE /c",
            "addWatch -m NONSENSE /d",
            "create /a x",
            "create /a/x x",
            "create /a/x/y x",
            "set /a y",
            "create /b x",
            "create /b/x x",
            "set /b y",
            "create /c x",
            "create /c/x x",
            "set /c/x y",
            "delete /b/x",
            "delete /b",
            "removewatches /a",
            "removewatches /b -a",
            "removewatches /c -c",
            "removewatches /c -r",
            "removewatches /nowhere",
            "set /a z",
            "create /b z",
            "set /c/x z",
            "quit");
    }

    @Case
    static void one_shot_watches_are_removed(Run run) throws Exception {
        Cli.run(run,
            "create /a x",
            "get -w /a",
            "ls -w /a",
            "removewatches /a -d",
            "removewatches /a -d",
            "set /a y",
            "removewatches /a -c",
            "create /a/b",
            "stat -w /a",
            "removewatches /a -a",
            "delete /a/b",
            "quit");
    }

    @Case
    static void ls_in_its_forms(Run run) throws Exception {
        Cli.run(run,
            "ls /",
            "ls /zookeeper",
            "create /b",
            "create /a",
            "create /a/2",
            "create /a/1",
            "create /a/1/x",
            "ls /a",
            "ls -s /a",
            "ls -R /",
            "ls -R /a",
            "ls -s -R /a",
            "ls /x",
            "ls -R /x",
            "ls -?",
            "ls",
            "ls -s /",
            "ls -s /zookeeper",
            "ls -s /zookeeper/config",
            "ls -s /zookeeper/quota",
            "quit");
    }

    @Case
    static void delete_and_deleteall(Run run) throws Exception {
        Cli.run(run,
            "create /a",
            "create /a/b",
            "create /a/b/c",
            "delete /a",
            "delete -v 5 /a/b/c",
            "delete -v 0 /a/b/c",
            "delete /x",
            "create /a/b/c",
            "deleteall /a",
            "create /a",
            "create /a/b",
            "create /a/c",
            "create /a/d",
            "deleteall /a -b 2",
            "deleteall /x",
            "delete /zookeeper/config",
            "delete /",
            "ls -R /",
            "delete",
            "quit");
    }

    @Case
    static void acls(Run run) throws Exception {
        Cli.run(run,
            "create /a x",
            "create /a/b x",
            "getAcl /a",
            "getAcl -s /a",
            "setAcl /a world:anyone:cdrwa,ip:127.0.0.1:r",
            "getAcl -s /a",
            "setAcl -v 1 /a world:anyone:ra",
            "setAcl -v 1 /a world:anyone:cdrwa",
            "setAcl -s -v 2 /a world:anyone:cdrwa",
            "setAcl -R /a world:anyone:cra",
            "getAcl /a/b",
            "set /a/b y",
            "create /a/b/c z",
            "setAcl /a nonsense",
            "setAcl /a unknown:x:r",
            "setAcl /x world:anyone:r",
            "getAcl /x",
            "getAcl /zookeeper/config",
            "quit");
    }

    @Case
    static void who_am_i_and_what_may_i(Run run) throws Exception {
        Cli.run(run,
            "whoami",
            "create /mine x auth::cdrwa",
            "addauth digest alice:secret",
            "whoami",
            "create /mine x auth::cdrwa",
            "getAcl /mine",
            "get /mine",
            "create /bobs x digest:bob:NDk0ZWM3MWVhYzc2ZDY3ZGRlZDA1ZWQ2:r",
            "getAcl /bobs",
            "get /bobs",
            "set /bobs y",
            "stat /bobs",
            "ls /bobs",
            "addauth digest super:test",
            "getAcl /bobs",
            "get /bobs",
            "setAcl /bobs world:anyone:cdrwa",
            "getAcl /bobs",
            "set /zookeeper/config x",
            "delete /bobs",
            "addauth",
            "quit");
    }

    @Case
    static void quotas(Run run) throws Exception {
        Cli.run(run,
            "create /q x",
            "create /q/a x",
            "listquota /q",
            "setquota -n 5 /q",
            "listquota /q",
            "setquota -b 100 /q",
            "listquota /q",
            "create /q/b xyz",
            "set /q/a longer",
            "listquota /q",
            "setquota -N 9 /q",
            "setquota -B 1000 /q",
            "listquota /q",
            "get /zookeeper/quota/q/zookeeper_limits",
            "get /zookeeper/quota/q/zookeeper_stats",
            "ls -R /zookeeper/quota",
            "setquota -n 5 /q/a",
            "setquota -n 5 /",
            "setquota -n 1 /x",
            "setquota -n nonsense /q",
            "setquota /q",
            "delete /q/b",
            "listquota /q",
            "delquota -n /q",
            "listquota /q",
            "delquota /q",
            "listquota /q",
            "delquota /q",
            "delquota /x",
            "listquota /x",
            "ls -R /zookeeper/quota",
            "quit");
    }

    @Case
    static void a_soft_quota_does_not_stop_anyone(Run run) throws Exception {
        Cli.run(run,
            "create /q x",
            "setquota -n 1 /q",
            "setquota -N 1 /q",
            "create /q/a x",
            "create /q/b x",
            "listquota /q",
            "quit");
    }

    @Case
    static void ephemerals_and_numbers(Run run) throws Exception {
        Cli.run(run,
            "getEphemerals",
            "create -e /e",
            "getEphemerals",
            "getEphemerals /e",
            "getEphemerals /x",
            "create /a",
            "create /a/b",
            "create /a/b/c",
            "getAllChildrenNumber /",
            "getAllChildrenNumber /a",
            "getAllChildrenNumber /x",
            "getAllChildrenNumber",
            "quit");
    }

    @Case
    static void sync_config_version_and_reconfig(Run run) throws Exception {
        Cli.run(run,
            "sync /",
            "sync /nowhere",
            "sync",
            "config",
            "config -s",
            "config -c",
            "version",
            "reconfig -add server.2=127.0.0.1:1:2;3",
            "reconfig -remove 3",
            "quit");
    }

    @Case
    static void history_and_redo(Run run) throws Exception {
        Cli.run(run,
            "create /a x",
            "printwatches",
            "printwatches off",
            "printwatches",
            "history",
            "redo 0",
            "redo 9",
            "redo 2",
            "",
            "nonsense",
            "history",
            "quit");
    }

    @Case
    static void close_and_connect(Run run) throws Exception {
        Cli.run(run,
            "create -e /e x",
            "close",
            "ls /",
            "connect",
            "ls /",
            "connect " + run.connect + "/zookeeper",
            "ls /",
            "quit");
    }

    @Case
    static void configuration(Run run) throws Exception {
        Cli.run(run,
            "create /config",
            "create -e /config/database db_host=localhost;db_port=5432",
            "get -w /config/database",
            "set /config/database db_host=localhost;db_port=5433",
            "get -s -w /config/database",
            "delete /config/database",
            "ls -s /config",
            "quit");
    }

    /** One client stands three times, since zkCli has only one session. */
    @Case
    static void election(Run run) throws Exception {
        Cli.run(run,
            "create /election",
            "create -s -e /election/n- a",
            "create -s -e /election/n- b",
            "create -s -e /election/n- c",
            "ls /election",
            "get /election/n-0000000000",
            "stat -w /election/n-0000000000",
            "stat -w /election/n-0000000001",
            "delete /election/n-0000000000",
            "ls /election",
            "get /election/n-0000000001",
            "create -s -e /election/n- a",
            "stat -w /election/n-0000000002",
            "delete /election/n-0000000001",
            "ls -s /election",
            "get /election/n-0000000002",
            "quit");
    }
}
