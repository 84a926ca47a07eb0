"""A process that locks with Python's lockfile, for python_interop_test.

    python_contender.py hello
    python_contender.py try BACKEND PATH           0 got it, 5 refused
    python_contender.py hold BACKEND PATH          until end of input
    python_contender.py contend BACKEND PATH MARKER HOLDS

`hold` prints "held" once it holds. `contend` acquires and releases HOLDS times
and creates MARKER exclusively inside: exit code 4 means that somebody else was
inside as well.
"""

import os
import sys

EXIT_TWO_HOLDERS = 4
EXIT_REFUSED = 5
EXIT_NO_LOCKFILE = 77

try:
    import lockfile
    from lockfile.linklockfile import LinkLockFile
    from lockfile.mkdirlockfile import MkdirLockFile
    from lockfile.pidlockfile import PIDLockFile
    from lockfile.symlinklockfile import SymlinkLockFile
except ImportError as error:
    print(error, file=sys.stderr)
    sys.exit(EXIT_NO_LOCKFILE)

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
        return EXIT_REFUSED
    lock.release()
    return 0


def hold(lock):
    acquire(lock)
    print("held", flush=True)
    sys.stdin.read()
    lock.release()
    return 0


def contend(lock, marker, holds):
    for _ in range(holds):
        acquire(lock)
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            print("Python entered while %s exists" % marker, file=sys.stderr)
            return EXIT_TWO_HOLDERS
        os.unlink(marker)
        lock.release()
    return 0


def main(verb, backend=None, path=None, marker=None, holds=0):
    if verb == "hello":
        return 0
    lock = CLASSES[backend](path)
    if verb == "try":
        return try_once(lock)
    if verb == "hold":
        return hold(lock)
    return contend(lock, marker, int(holds))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
