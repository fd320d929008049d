"""A headless Chromium, told what to do through its debugging pipe (Chrome DevTools Protocol)."""

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
LIMIT = 180  # seconds that anything may take

# Hands two descriptors on as 3 and 4, where Chromium looks for its pipe.
LAUNCH = """
import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """One page in a browser that runs.

    requests: addresses that it asked for. errors: what its scripts and its console complained of.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", commands: int, answers: int, downloads: Path) -> None:
        self.requests: list[str] = []
        self.errors: list[str] = []
        self._process, self._commands, self._answers = process, commands, answers
        self._received = b""
        self._calls = 0
        self._session: str | None = None
        self._downloads = downloads
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        # Workers that the page starts are listened to as well.
        self._call("Target.setAutoAttach", autoAttach=True, waitForDebuggerOnStart=False, flatten=True)
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self._call(f"{domain}.enable")
        self._call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(downloads))

    def resize(self, width: int, height: int) -> None:
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)
        self.wait_for(f"location.href.startsWith({url!r}) && document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        """The value of an expression, awaited."""
        answer = self._call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """The value of an expression, once it is true."""
        return self._wait(lambda: self.evaluate(script), script)

    def text(self, selector: str) -> str:
        return self.evaluate(f"document.querySelector({selector!r})?.textContent ?? ''")

    def choose_file(self, selector: str, file: Path) -> None:
        root = self._call("DOM.getDocument")["root"]["nodeId"]
        node = self._call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self._call("DOM.setFileInputFiles", nodeId=node, files=[str(file.resolve())])

    def press(self, key: str, modifiers: int = 0) -> None:
        """A key by its DOM name, such as "Tab", "ArrowRight" or " "."""
        codes = {"Tab": 9, "ArrowRight": 39, "ArrowLeft": 37, "Home": 36, "End": 35, " ": 32, "Enter": 13}
        text = {"Enter": "\r", " ": " "}.get(key, "")
        common = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": codes[key], "modifiers": modifiers}
        self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self._call("Input.dispatchKeyEvent", type="keyUp", **common)

    def names(self) -> list[tuple[str, str]]:
        """What a screen reader says: role and name of everything that can be used or looked at."""
        nodes = self._call("Accessibility.getFullAXTree")["nodes"]
        roles = {"button", "slider", "spinbutton", "radio", "image", "radiogroup", "status", "heading", "link", "textbox"}
        named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]
        return [(role, name) for role, name in named if role in roles]

    def screenshot(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def download(self, script: str, suffix: str) -> Path:
        """The file that a script makes the page save."""
        self.evaluate(script)
        file = self._wait(lambda: next(self._downloads.glob(f"*{suffix}"), None), f"a download {suffix}")
        self._calls += 1
        return file.rename(self._downloads.parent / f"{self._calls}-{file.name}")  # so that the folder is empty again

    def _wait(self, condition: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            if value := condition():
                return value
            time.sleep(0.05)
        raise AssertionError(f"not within {LIMIT} s: {what}; the page says: {self.text('body')}; errors: {self.errors}")

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        if self._session is not None and not method.startswith("Browser."):
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == message["id"]:
                assert "error" not in answer, f"{method}: {answer['error']}"
                return answer["result"]
            self._note(answer)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            part = os.read(self._answers, 1 << 20)
            assert part, f"the browser ended: {self._process.poll()}"
            self._received += part
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)

    def _note(self, event: dict[str, Any]) -> None:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Target.attachedToTarget":
            self._listen(parameters["sessionId"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.errors.append(parameters["exceptionDetails"]["text"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.errors.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")

    def _listen(self, session: str) -> None:
        """Hear of a worker's requests and errors, and of those of workers that it starts."""
        for domain in ("Network.enable", "Runtime.enable", "Log.enable"):
            os.write(self._commands, json.dumps({"id": 0, "sessionId": session, "method": domain}).encode() + b"\0")


@contextlib.contextmanager
def browser(folder: Path, *options: str) -> Iterator[Browser]:
    """A browser with an empty profile in `folder`."""
    commands_out, commands_in = os.pipe()
    answers_out, answers_in = os.pipe()
    downloads = folder / "downloads"
    downloads.mkdir(parents=True)
    flags = ["--headless=new", "--no-sandbox", "--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", *options]
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(commands_out), str(answers_in), str(CHROMIUM), *flags],
        pass_fds=(commands_out, answers_in),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(commands_out)
    os.close(answers_in)
    try:
        yield Browser(process, commands_in, answers_out, downloads)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(commands_in)
        os.close(answers_out)
