"""Speaks the protocol of README.md for locks of Python.

The file that follows this one ends with serve(traits, make): make(path) gives
an object with acquire(timeout), which tells whether it got the lock, and
release().
"""

import errno
import os
import sys
import urllib.parse


class Server:
    def __init__(self, traits, make):
        self.traits = traits
        self.make = make
        self.locks = {}  # by path: some have a memory
        self.held = None

    def hello(self, version):
        return "ok 1 " + self.traits

    def acquire(self, path, timeout):
        if self.held is not None:
            return "error already held, by this adapter"
        path = os.fsdecode(urllib.parse.unquote_to_bytes(path))
        if path not in self.locks:
            self.locks[path] = self.make(path)
        if not self.locks[path].acquire(float(timeout)):
            return "timeout"
        self.held = self.locks[path]
        return "ok"

    def release(self):
        if self.held is None:
            return "error not held, by this adapter"
        self.held.release()
        self.held = None
        return "ok"

    def quit(self):
        if self.held is not None:
            self.held.release()
        return "ok"


def complaint(error):
    name = ""
    if isinstance(error, OSError) and error.errno in errno.errorcode:
        name = errno.errorcode[error.errno] + " "
    text = "%s: %s" % (type(error).__name__, error)
    return "error " + name + " ".join(text.split())


def serve(traits, make):
    server = Server(traits, make)
    for line in sys.stdin:
        verb, *words = line.split()
        try:
            if verb not in ("hello", "acquire", "release", "quit"):
                answer = "error unknown request"
            else:
                answer = getattr(server, verb)(*words)
        except Exception as error:  # whatever it is, the other side is told
            answer = complaint(error)
        print(answer, flush=True)
        if verb == "quit":
            break
    # Without finalizers: some locks would give back what is held, and whoever
    # asked has died with it.
    os._exit(0)


