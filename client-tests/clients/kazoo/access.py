"""Permissions and authentication."""

from kazoo.exceptions import AuthFailedError, InvalidACLError, NoAuthError
from kazoo.security import (
    ACL,
    CREATOR_ALL_ACL,
    OPEN_ACL_UNSAFE,
    READ_ACL_UNSAFE,
    Id,
    Permissions,
    make_acl,
    make_digest_acl,
    make_digest_acl_credential,
)

from driver import case, counts, refused, same


@case
def acls_are_read_and_set(run):
    zk = run.client()
    zk.create("/a")
    acls, stat = zk.get_acls("/a")
    same(acls, OPEN_ACL_UNSAFE)
    wanted = [make_acl("world", "anyone", read=True, admin=True), make_acl("ip", "127.0.0.1/8", write=True)]
    changed = zk.set_acls("/a", wanted, version=0)
    same(counts(changed), "v0 c0 a1 length 0 children 0")
    same(changed.mzxid, stat.mzxid)
    same(zk.get_acls("/a")[0], wanted)
    zk.set("/a", b"")
    refused(NoAuthError, zk.create, "/a/b")


@case
def a_digest_lets_its_owner_in(run):
    owner = run.client()
    other = run.client()
    same(owner.add_auth("digest", "alice:secret"), True)
    owner.create("/a", b"x", acl=CREATOR_ALL_ACL)
    same(owner.get_acls("/a")[0], [ACL(31, Id("digest", make_digest_acl_credential("alice", "secret")))])
    refused(NoAuthError, other.get, "/a")
    refused(NoAuthError, other.set, "/a", b"")
    refused(NoAuthError, other.get_children, "/a")
    refused(NoAuthError, other.exists, "/a")
    refused(NoAuthError, other.create, "/a/b")
    refused(NoAuthError, other.set_acls, "/a", OPEN_ACL_UNSAFE)
    other.add_auth("digest", "alice:wrong")
    refused(NoAuthError, other.get, "/a")
    other.add_auth("digest", "alice:secret")
    same(other.get("/a")[0], b"x")


@case
def a_client_is_made_with_its_credentials(run):
    acl = make_digest_acl("alice", "secret", all=True)
    zk = run.client(auth_data=[("digest", "alice:secret")], default_acl=[acl])
    zk.create("/a", b"x")
    same(zk.get_acls("/a")[0], [acl])
    refused(NoAuthError, run.client().get, "/a")


@case
def a_reader_sees_no_digests(run):
    zk = run.client()
    zk.create("/a", acl=READ_ACL_UNSAFE + [make_digest_acl("alice", "secret", all=True)])
    same([acl.id.id for acl in zk.get_acls("/a")[0]], ["anyone", "alice:x"])
    zk.add_auth("digest", "alice:secret")
    same(zk.get_acls("/a")[0][1].id.id, make_digest_acl_credential("alice", "secret"))


@case
def the_super_user_may_do_all(run):
    owner = run.client(auth_data=[("digest", "alice:secret")])
    owner.create("/a", acl=CREATOR_ALL_ACL)
    admin = run.client()
    refused(NoAuthError, admin.set, "/zookeeper/config", b"")
    admin.add_auth("digest", "super:test")
    admin.set("/a", b"x")
    admin.set_acls("/a", [ACL(Permissions.READ, Id("world", "anyone"))])
    admin.delete("/a")


@case
def bad_acls_are_refused(run):
    zk = run.client()
    refused(InvalidACLError, zk.create, "/a", acl=CREATOR_ALL_ACL)
    refused(InvalidACLError, zk.create, "/a", acl=[make_acl("unknown", "x", all=True)])
    refused(InvalidACLError, zk.create, "/a", acl=[make_acl("ip", "not an address", all=True)])
    same(zk.exists("/a"), None)


@case
def an_unknown_scheme_fails_the_client(run):
    zk = run.client()
    refused(AuthFailedError, zk.add_auth, "unknown", "x")
    zk.states.until("LOST")


@case
def a_client_authenticates_anew_after_a_restart(run):
    zk = run.client(auth_data=[("digest", "alice:secret")])
    zk.create("/a", b"x", acl=CREATOR_ALL_ACL)
    run.restart()
    zk.states.until("CONNECTED")
    same(zk.retry(zk.get, "/a")[0], b"x")
