"""Runs named tests against the servers it is told of, one after the other.

A line "run FILE NAME CONNECT-STRING" comes in; lines that begin with "@" go out and are for the other side, any other
line is the test's own talk.
"""

import importlib
import logging
import queue
import sys
import threading
import traceback

from kazoo.client import KazooClient
from kazoo.retry import KazooRetry

# No step of a test takes this long; whoever waits longer has lost something.
DEADLINE = 10.0
SESSION_TIMEOUT = 20.0

_CASES = {}
_OUT = threading.Lock()


def case(function):
    """Marks a test; the line after it holds the name, the Rust side reads it there."""
    _CASES[function.__module__, function.__name__] = function
    return function


class Events:
    """A watcher that keeps what it was told, as "TYPE PATH"."""

    def __init__(self):
        self._told = queue.Queue()

    def __call__(self, event):
        self._told.put("%s %s" % (event.type, event.path))

    def put(self, told):
        self._told.put(told)

    def next(self):
        try:
            return self._told.get(timeout=DEADLINE)
        except queue.Empty:
            raise AssertionError("no event within %s s" % DEADLINE) from None

    def expect(self, *expected):
        for one in expected:
            same(self.next(), one)

    def until(self, expected):
        """Throws away what comes before."""
        while self.next() != expected:
            pass

    def expect_none(self):
        """Nothing has come. Say so only after an answer that must have come later."""
        same(self._told.qsize(), 0)


class Run:
    """One test's server and clients."""

    def __init__(self, connect):
        self.connect = connect
        self._clients = []
        self._threads = []

    def client(self, chroot="", start=True, **options):
        """A connected client; its states are told to client.states."""
        options.setdefault("timeout", SESSION_TIMEOUT)
        options.setdefault("connection_retry", retry_every(0.01))
        client = KazooClient(hosts=self.connect + chroot, **options)
        client.states = Events()
        client.add_listener(lambda state: client.states.put(state))
        self._clients.append(client)
        if start:
            client.start(timeout=DEADLINE)
            client.states.expect("CONNECTED")
        return client

    def restart(self):
        self._ask("restart")

    def stop(self):
        self._ask("stop")

    def start_again(self):
        self._ask("start-again")

    def expire(self, client):
        session, password = client.client_id
        self._ask("expire %d %s" % (session, password.hex()))

    def say(self, line):
        """A line that must be the same on a real server."""
        tell("| %s" % line)

    def thread(self, function, *arguments):
        """Runs a function beside the test; its result is awaited with result()."""
        return Thread(function, arguments)

    def close(self):
        for client in reversed(self._clients):
            client.stop()
            client.close()

    def _ask(self, what):
        tell("@" + what)
        same(sys.stdin.readline().strip(), "done")


class Thread:
    def __init__(self, function, arguments):
        self._result = queue.Queue()
        self._thread = threading.Thread(target=self._run, args=(function, arguments), daemon=True)
        self._thread.start()

    def _run(self, function, arguments):
        try:
            self._result.put((function(*arguments), None))
        except Exception as error:
            self._result.put((None, error))

    def result(self):
        try:
            result, error = self._result.get(timeout=DEADLINE)
        except queue.Empty:
            raise AssertionError("not done within %s s" % DEADLINE) from None
        if error is not None:
            raise error
        return result


def retry_every(seconds):
    return KazooRetry(max_tries=-1, delay=seconds, backoff=1, max_jitter=0)


def same(actual, expected):
    if actual != expected:
        raise AssertionError("got %r, expected %r" % (actual, expected))


def refused(error, operation, *arguments, **options):
    try:
        answer = operation(*arguments, **options)
    except error:
        return
    raise AssertionError("got %r, expected %s" % (answer, error.__name__))


def counts(stat):
    """A stat's counters and sizes."""
    return "v%d c%d a%d%s length %d children %d" % (
        stat.version,
        stat.cversion,
        stat.aversion,
        " ephemeral" if stat.ephemeralOwner else "",
        stat.dataLength,
        stat.numChildren,
    )


def tell(line):
    with _OUT:
        print(line, flush=True)


def main():
    logging.basicConfig(stream=sys.stdout, level=logging.CRITICAL)
    for line in iter(sys.stdin.readline, ""):
        _, file, name, connect = line.split()
        importlib.import_module(file)
        run = Run(connect)
        try:
            _CASES[file, name](run)
            run.close()
            tell("@pass")
        except BaseException:
            tell(traceback.format_exc())
            tell("@fail")


if __name__ == "__main__":
    # The tests import this module by its name; it must be the same one.
    sys.modules["driver"] = sys.modules["__main__"]
    main()
