"""A headless Chromium, driven through a pipe: no network, no port, no library
but Python's own."""

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time

PROGRAMS = ("chromium-headless-shell", "chromium", "google-chrome")


class BrowserError(Exception):
    """The browser could not do what was asked."""


def find():
    """The path of a Chromium, or None."""
    for name in PROGRAMS:
        path = shutil.which(name)
        if path:
            return path
    return None


def _die_with_parent():
    # prctl(PR_SET_PDEATHSIG): no browser outlives the test.
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Browser:
    """One browser with one page. Use as a context manager."""

    def __init__(self, width=1280, height=900, limit_s=60):
        self._limit_s = limit_s
        self._home = tempfile.mkdtemp(prefix="chromium-",
                                      dir=os.environ.get("TEST_TMPDIR"))
        self._next = 0
        self._rest = b""
        self.events = []
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        # The browser reads descriptor 3 and writes 4.
        script = 'exec "$@" 3<&%d 4>&%d' % (to_browser, from_browser)
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, "bash", find(), "--headless",
             "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
             "--disable-background-networking", "--no-first-run",
             "--user-data-dir=" + self._home, "--remote-debugging-pipe",
             "--window-size=%d,%d" % (width, height), "about:blank"],
            pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=_die_with_parent,
            env=dict(os.environ, HOME=self._home))
        os.close(to_browser)
        os.close(from_browser)
        targets = self._call("Target.getTargets", session=None)
        page = next(t for t in targets["targetInfos"] if t["type"] == "page")
        self._session = self._call(
            "Target.attachToTarget",
            {"targetId": page["targetId"], "flatten": True},
            session=None)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._read)
        os.close(self._write)
        shutil.rmtree(self._home, ignore_errors=True)

    def _message(self, deadline):
        while b"\0" not in self._rest:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                raise BrowserError("the browser said nothing for %d s"
                                   % self._limit_s)
            piece = os.read(self._read, 1 << 20)
            if not piece:
                raise BrowserError("the browser ended")
            self._rest += piece
        message, self._rest = self._rest.split(b"\0", 1)
        return json.loads(message)

    def _call(self, method, params=None, session=None):
        self._next += 1
        request = {"id": self._next, "method": method, "params": params or {}}
        if session:
            request["sessionId"] = session
        os.write(self._write, json.dumps(request).encode() + b"\0")
        deadline = time.monotonic() + self._limit_s
        while True:
            message = self._message(deadline)
            if message.get("id") == self._next:
                if "error" in message:
                    raise BrowserError("%s: %s" % (method, message["error"]))
                return message["result"]
            if "method" in message:
                self.events.append(message)

    def call(self, method, **params):
        """A command of the DevTools protocol, on the page."""
        return self._call(method, params, self._session)

    def run(self, script):
        """The value of an expression of JavaScript, awaited."""
        result = self.call("Runtime.evaluate", expression=script,
                           returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise BrowserError("%s: %s" % (script, result["exceptionDetails"]))
        return result["result"].get("value")

    def await_true(self, condition):
        """Whether an expression of JavaScript becomes true in a while."""
        return self.run("""new Promise((done) => {
          const end = performance.now() + 20000;
          const look = () => (%s) ? done(true)
            : performance.now() > end ? done(false) : setTimeout(look, 10);
          look();
        })""" % condition)

    def open(self, path):
        """Opens a file and waits until it is loaded."""
        del self.events[:]
        self.call("Page.navigate", url="file://" + os.path.abspath(path))
        deadline = time.monotonic() + self._limit_s
        while not any(e["method"] == "Page.loadEventFired"
                      for e in self.events):
            message = self._message(deadline)
            if "method" in message:
                self.events.append(message)

    def press(self, key, code=0, text=None):
        """A key, as the keyboard sends it."""
        extra = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key,
                  windowsVirtualKeyCode=code, **extra)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key,
                  windowsVirtualKeyCode=code)

    def click(self, x, y):
        """The left button of the mouse, there in the window."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y,
                      button="left", clickCount=1)

    def resize(self, width, height, mobile=False):
        """The size of the window, in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width,
                  height=height, deviceScaleFactor=1, mobile=mobile)

    def prefer(self, scheme):
        """"light" or "dark", as the system would say."""
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, path, place=None):
        """Writes a PNG of the window, or of a place in the whole page."""
        params = {}
        if place:
            params = {"captureBeyondViewport": True,
                      "clip": dict(place, scale=1)}
        data = self.call("Page.captureScreenshot", format="png", **params)
        with open(path, "wb") as file:
            file.write(base64.b64decode(data["data"]))

    def complaints(self):
        """What the console and the page's own errors said."""
        found = []
        for event in self.events:
            params = event.get("params", {})
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(params["exceptionDetails"]))
            elif event["method"] == "Log.entryAdded":
                found.append(str(params["entry"]))
            elif (event["method"] == "Runtime.consoleAPICalled"
                  and params["type"] in ("error", "warning", "assert")):
                found.append(str(params["args"]))
        return found

    def requests(self):
        """The addresses that were asked for."""
        return [e["params"]["request"]["url"] for e in self.events
                if e["method"] == "Network.requestWillBeSent"]
