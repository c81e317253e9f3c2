"""Starts of `packkit assess run` against a server: as a process, or in this one."""

import os
import subprocess
import sys
import time

from typer.testing import CliRunner

from packkit.cli.main import app

CONCURRENCY = 4


def command(folder, server, *arguments):
    """The command line and environment of one start."""
    words = [sys.executable, "-m", "packkit", "assess", "run", "--judge", "m"]
    words += ["--base-url", server.url, "--concurrency", str(CONCURRENCY), *map(str, arguments)]
    environment = {name: os.environ[name] for name in os.environ if "OPENAI" not in name}
    # A killed process leaves its temporary folder behind.
    settings = {"OPENAI_API_KEY": "k", "TMPDIR": str(folder)}
    return words, {"cwd": folder, "env": {**environment, **settings}}


def packkit(folder, server, *arguments):
    words, options = command(folder, server, *arguments)
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def invoke(folder, server, monkeypatch, *arguments):
    """The same inside this process: it spares the start."""
    words, options = command(folder, server, *arguments)
    monkeypatch.chdir(folder)
    return CliRunner().invoke(app, words[3:], env=options["env"])


def start(folder, server, *arguments):
    words, options = command(folder, server, *arguments)
    output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(words, **output, **options)


def wait_for(server, process, requests):
    """Waits until the server has seen so many requests."""
    while len(server.log) < requests:
        assert process.poll() is None
        time.sleep(0.002)


def packkit_assess(*arguments):
    command = ["assess", *map(str, arguments)]
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, command, catch_exceptions=False)
