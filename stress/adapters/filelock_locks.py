try:
    import filelock
except ImportError as error:
    sys.exit(str(error))

SOFT = sys.argv[1] == "soft"


class Lock:
    def __init__(self, path):
        make = filelock.SoftFileLock if SOFT else filelock.FileLock
        self.lock = make(path + ".lock")

    def acquire(self, timeout):
        try:
            self.lock.acquire(timeout=timeout, blocking=timeout != 0)
        except filelock.Timeout:
            return False
        return True

    def release(self):
        self.lock.release()


serve("" if SOFT else "released_on_crash keeps_file", Lock)
