"""A process that has everything imported, and forks a child for each task.

Loading Python, the tokenizer's library and numba takes seconds; a fork takes milliseconds. So a
thousand kills are a matter of minutes. The server has one thread whenever it forks.
"""

import json
import os
import subprocess
import sys
import tempfile
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

# The folder of these modules, which a child imports by their names.
HERE = Path(__file__).absolute().parent
ROOT = HERE.parents[1]
ONE_THREAD = {
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "ARROW_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes:
        code: Exit code, negative for a signal.
        errors: What it wrote to stderr.
        result: What its function returned, as JSON values.
    """

    code: int
    errors: str
    result: object = None


class ForkServer:
    """Runs functions of `tasks` in children.

    Args:
        names: Modules that the server imports before it forks, beside those that it needs itself.
    """

    def __init__(self, *names):
        # Not the tests' own search path: the server must import packkit as its users do.
        paths = [str(HERE), str(HERE.parent / "packing"), str(ROOT), str(ROOT / "kernels")]
        environment = {**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(paths)}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "fork_server.py"), *names],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def run(self, task, **arguments):
        """Runs a task in a child of the server and waits for its end."""
        return self._ask({"task": task, "arguments": arguments, "is_forked": True})

    def warm(self, task, **arguments):
        """Runs a task in the server itself, so that its children find everything loaded."""
        return self._ask({"task": task, "arguments": arguments, "is_forked": False})

    def close(self):
        """Ends the server."""
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()

    def _ask(self, request):
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the server has ended"
        return Outcome(**json.loads(answer))


def _serve():
    import injector

    injector.install()
    import tasks

    for name in sys.argv[1:]:
        __import__(name)
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        function, arguments = getattr(tasks, request["task"]), request["arguments"]
        if request["is_forked"]:
            outcome = _in_child(function, arguments)
        else:
            outcome = Outcome(0, "", function(**arguments))
        replies.write(json.dumps(asdict(outcome)).encode() + b"\n")


def _in_child(function, arguments):
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as result:
        child = os.fork()
        if child == 0:
            _work(function, arguments, errors, result)
        _, status = os.waitpid(child, 0)
        text, value = (_content(file) for file in (errors, result))
    code = os.waitstatus_to_exitcode(status)
    return Outcome(code, text.decode(errors="replace"), json.loads(value) if value else None)


def _content(file):
    file.seek(0)
    return file.read()


def _work(function, arguments, errors, result):
    """All that a child does; it never returns."""
    code = 70
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(errors.fileno(), 2)
        value = function(**arguments)
        os.write(result.fileno(), json.dumps(value).encode())
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
