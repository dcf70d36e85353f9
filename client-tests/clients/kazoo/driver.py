"""Runs named tests one after the other, each against a given server.

The input has lines "run FILE NAME CONNECT-STRING"; output lines that begin with "@" are requests, any other line is the
test's own output.
"""

import importlib
import logging
import queue
import sys
import threading
import traceback

from kazoo.client import KazooClient
from kazoo.retry import KazooRetry

# Maximum duration of a step of a test, in seconds.
DEADLINE = 10.0
SESSION_TIMEOUT = 20.0

_CASES = {}
_OUT = threading.Lock()


def case(function):
    """Marks a test; the Rust side reads its name in the line after the mark."""
    _CASES[function.__module__, function.__name__] = function
    return function


class Events:
    """A watcher that queues its events, as "TYPE PATH"."""

    def __init__(self):
        self._events = queue.Queue()

    def __call__(self, event):
        self._events.put("%s %s" % (event.type, event.path))

    def put(self, event):
        self._events.put(event)

    def next(self):
        try:
            return self._events.get(timeout=DEADLINE)
        except queue.Empty:
            raise AssertionError("no event within %s s" % DEADLINE) from None

    def expect(self, *expected):
        for one in expected:
            same(self.next(), one)

    def until(self, expected):
        """Discards the events before this one."""
        while self.next() != expected:
            pass

    def expect_none(self):
        """Checks that no event has come. Call it only after an answer that must come later than the events."""
        same(self._events.qsize(), 0)


class Run:
    """One test's server and clients."""

    def __init__(self, connect):
        self.connect = connect
        self._clients = []
        self._threads = []

    def client(self, chroot="", start=True, **options):
        """A connected client; client.states queues its states."""
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
        """Prints a line that must be the same on a real server."""
        tell("| %s" % line)

    def thread(self, function, *arguments):
        """Runs a function in a thread; result() waits for its result."""
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
    # The tests import this module by its name, and must get this same module.
    sys.modules["driver"] = sys.modules["__main__"]
    main()
