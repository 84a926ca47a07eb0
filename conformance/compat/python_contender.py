"""A process that locks with Python's lockfile, as python_contender.h runs it.

    python_contender.py hello             0: it can
    python_contender.py serve BACKEND PATH

`serve` reads one request a line and answers each with one line:

    try                   takes and gives back: "ok", or "refused"
    acquire               waits until it holds: "ok"
    release               "ok"
    contend MARKER HOLDS  acquires and releases HOLDS times and creates MARKER
                          exclusively inside: "ok", or "two holders" if
                          somebody else was inside as well

or with "error" and what Python said. It ends with its input.
"""

import os
import sys

try:
    import lockfile
    from lockfile.linklockfile import LinkLockFile
    from lockfile.mkdirlockfile import MkdirLockFile
    from lockfile.pidlockfile import PIDLockFile
    from lockfile.symlinklockfile import SymlinkLockFile
except ImportError as error:
    sys.exit(str(error))

CLASSES = {
    "link": LinkLockFile,
    "mkdir": MkdirLockFile,
    "pid": PIDLockFile,
    "symlink": SymlinkLockFile,
}

# It sleeps a tenth of the timeout between two looks: a short one, repeated,
# makes a quick contender of it.
PATIENCE_S = 0.005


def acquire(lock):
    while True:
        try:
            lock.acquire(timeout=PATIENCE_S)
            return
        except lockfile.LockTimeout:
            pass
        except FileNotFoundError:
            # Its symlink lock looks whether a link is there, then reads it: a
            # release in between escapes as this. It did not get the lock.
            pass


def try_once(lock):
    try:
        lock.acquire(timeout=0)
    except lockfile.AlreadyLocked:
        return "refused"
    lock.release()
    return "ok"


def contend(lock, marker, holds):
    for _ in range(holds):
        acquire(lock)
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return "two holders"
        os.unlink(marker)
        lock.release()
    return "ok"


def obey(lock, verb, marker=None, holds=0):
    if verb == "try":
        return try_once(lock)
    if verb == "contend":
        return contend(lock, marker, int(holds))
    if verb == "acquire":
        acquire(lock)
    else:
        lock.release()
    return "ok"


def serve(backend, path):
    lock = CLASSES[backend](path)
    for line in sys.stdin:
        try:
            answer = obey(lock, *line.rstrip("\n").split(" "))
        except Exception as error:  # whatever it is, the other side is told
            answer = "error %s: %s" % (type(error).__name__, error)
        print(answer.replace("\n", " "), flush=True)


if __name__ == "__main__" and sys.argv[1] == "serve":
    serve(*sys.argv[2:])
