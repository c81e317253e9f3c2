"""An OpenAI-compatible server on 127.0.0.1 that answers by a script and keeps its own log.

The script is a function of the request; what it returns says how to answer, or how not to.
"""

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """How to answer one request."""

    status: int = 200
    body: object = None
    headers: dict = field(default_factory=dict)
    delay: float = 0.0
    # Answer only once this is set; a minute later the test has failed anyway.
    hold: threading.Event | None = None
    # Close the connection after this many bytes of the body.
    cut_after: int | None = None
    # Send one byte after another, with this many seconds in between.
    drip: float = 0.0
    # What the tokens of a reply cost its sender: (prompt, completion).
    usage: tuple[int, int] = (0, 0)


@dataclass
class Entry:
    """One request, as the server saw it; names of headers in lower case.

    `sent` says whether all of its answer went out.
    """

    request: dict
    headers: dict
    arrived: float
    answer: Answer
    sent: bool = False
    handled: threading.Event = field(default_factory=threading.Event)

    @property
    def is_reply(self):
        return self.sent and self.answer.status == 200

    @property
    def text(self):
        """What the user's message says, images left out."""
        return user_text(self.request)


def user_text(request):
    content = request["messages"][-1]["content"]
    if isinstance(content, str):
        return content
    return "".join(part["text"] for part in content if part["type"] == "text")


def reply(text, *, usage=(100, 20), finish_reason="stop", refusal=None, **options):
    """A completion that says this."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "loopback",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
    }
    if usage is not None:
        prompt, completion = usage
        counts = {"prompt_tokens": prompt, "completion_tokens": completion}
        body["usage"] = {**counts, "total_tokens": prompt + completion}
    return Answer(body=body, usage=usage or (0, 0), **options)


def failure(status, message="failed", *, param=None, code=None, **options):
    """An error as OpenAI words it."""
    error = {"message": message, "type": "error", "param": param, "code": code}
    return Answer(status=status, body={"error": error}, **options)


class LoopbackServer:
    """The server; `log` holds every request in the order of arrival, `paths` what they ask for."""

    def __init__(self, script, port=0):
        self.script = script
        self.log = []
        self._lock = threading.Lock()
        self.paths = []
        self._http = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def replies(self):
        """The requests whose replies went out as a whole."""
        return [entry for entry in self.log if entry.is_reply]

    @property
    def usage(self):
        """Tokens of all replies that went out: (prompt, completion)."""
        usages = [entry.answer.usage for entry in self.replies]
        return tuple(sum(column) for column in zip(*usages, strict=True)) or (0, 0)

    def settle(self):
        """Waits until every request is answered, also those whose client was killed."""
        for entry in list(self.log):
            assert entry.handled.wait(10)

    def arrive(self, request, headers):
        with self._lock:
            entry = Entry(request, headers, time.monotonic(), self.script(request))
            self.log.append(entry)
        return entry

    def start(self):
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self._http.shutdown()
        self._http.server_close()


@contextmanager
def serving(script, port=0):
    """A running server that answers by a script, `request -> Answer`."""
    server = LoopbackServer(script, port)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body are two writes: without it the second waits for an acknowledgement.
        disable_nagle_algorithm = True

        def do_POST(self):
            size = int(self.headers["Content-Length"])
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.paths.append(self.path)
            entry = server.arrive(json.loads(self.rfile.read(size)), headers)
            time.sleep(entry.answer.delay)
            if entry.answer.hold is not None:
                entry.answer.hold.wait(60)
            try:
                self._send(entry.answer)
                entry.sent = entry.answer.cut_after is None
            except ConnectionError:
                # The client is gone, killed perhaps: the log says that it got no answer.
                self.close_connection = True
            finally:
                entry.handled.set()

        def _send(self, answer):
            body = answer.body
            if not isinstance(body, bytes):
                body = json.dumps(body).encode()
            self.send_response(answer.status)
            headers = {"Content-Type": "application/json", **answer.headers}
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            if answer.drip:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    time.sleep(answer.drip)
                return
            self.wfile.write(body[: answer.cut_after])
            if answer.cut_after is not None:
                self.close_connection = True

        def log_message(self, *_):
            """Keeps the tests' output clean."""

    return Handler
