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


class Lock:
    def __init__(self, path):
        self.lock = CLASSES[sys.argv[1]](path)

    def acquire(self, timeout):
        if timeout >= 0:
            return self.once(timeout)
        # Without a timeout its pid lock does not wait. With this one all of
        # them poll as often as without.
        while not self.once(1):
            pass
        return True

    def once(self, timeout):
        try:
            self.lock.acquire(timeout=timeout)
        except (lockfile.LockTimeout, lockfile.AlreadyLocked):
            return False
        except FileNotFoundError:
            # Its symlink lock looks whether a link is there, then reads it: a
            # release in between escapes as this. It did not get the lock.
            if sys.argv[1] != "symlink":
                raise
            return False
        return True

    def release(self):
        self.lock.release()


serve("", Lock)
