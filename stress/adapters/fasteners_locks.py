try:
    import fasteners
except ImportError as error:
    sys.exit(str(error))


class Lock:
    def __init__(self, path):
        self.lock = fasteners.InterProcessLock(path + ".lock")

    def acquire(self, timeout):
        if timeout < 0:
            return self.lock.acquire()
        return self.lock.acquire(blocking=timeout != 0, timeout=timeout)

    def release(self):
        self.lock.release()


serve("released_on_crash keeps_file", Lock)
