"""What must hold after a fault, whatever the fault was."""

import json
import re
from pathlib import Path

MANIFEST = "manifest.json"
# Of a run under way; nothing reads them.
UNFINISHED = re.compile(r"\.tmp(/|$)|(^|/)\.work(/|$)")


def files_of(folder, name=""):
    """Yields the name and bytes of every file below a path, or of the file that it is."""
    path = Path(folder) / name
    if path.is_file():
        yield "", path.read_bytes()
    for inner in sorted(path.rglob("*")):
        if inner.is_file():
            yield inner.relative_to(path).as_posix(), inner.read_bytes()


def comparable(name, data):
    """The bytes of a file, but for what differs between equal checkpoints.

    The head of a safetensors file is an object whose fields come in any order, and run.json states
    the checksums of such files.
    """
    if name.endswith(".safetensors") and len(data) > 8:
        end = 8 + int.from_bytes(data[:8], "little")
        if end <= len(data):
            head = json.loads(data[8:end])
            return json.dumps(head, sort_keys=True).encode() + data[end:]
    if re.search(r"step-\d+/run\.json$", name):
        fields = json.loads(data)
        return json.dumps({**fields, "files": sorted(fields["files"]), "checksum": ""}).encode()
    return data


def finished(content):
    """What counts of a result: nothing that a run leaves under a temporary name."""
    return {name: data for name, data in (content or {}).items() if not UNFINISHED.search(name)}


def state_of(job):
    """Which set lies on the desk: ``old``, ``new``, or ``none``, which claims nothing.

    Raises:
        AssertionError: What lies there claims to be whole, and is neither set.
    """
    content = finished(job.content())
    for state, whole in (("new", job.new), ("old", job.old)):
        if whole is not None and content == whole:
            return state
    if job.has_manifest:
        claims = [name for name in content if name.endswith(f"/{MANIFEST}")]
    else:
        # Whatever has its name is whole, a checkpoint with all that is in it.
        claims = sorted(
            unit
            for unit in set(map(_unit_of, content))
            if _members(content, unit) != _members(job.new, unit)
        )
    assert not claims, f"{claims[0]} claims to be whole: {differences(content, job.new)}"
    return "none"


def _unit_of(name):
    checkpoint = re.match(r".*/step-\d+(?=/)", name)
    return checkpoint[0] if checkpoint else name


def _members(content, unit):
    return {name: data for name, data in content.items() if _unit_of(name) == unit}


def differences(content, expected):
    """What differs between two results, in words."""
    content, expected = content or {}, expected or {}
    names = sorted(content.keys() | expected.keys())
    return [
        f"{name}: {len(content.get(name, b''))} bytes, expected {len(expected.get(name, b''))}"
        for name in names
        if content.get(name) != expected.get(name)
    ]


def bystanders(job):
    """Every file on the desk that the command has no business with."""
    mine = tuple(
        prefix
        for result in job.results
        for prefix in (f"{result}/", f"{result}.work/", f".{result}.new/", f".{result}.old/")
    )
    if job.folder is not None:
        mine += (f"{job.folder}/",)
    locks = {f".{result}.lock" for result in job.results}
    return {
        name: data
        for name, data in files_of(job.desk)
        if not name.startswith(mine) and name.removesuffix(".tmp") not in {*job.results, *locks}
    }


def check_end(job, outcome):
    """A run that nothing disturbs ends well, with the reference's bytes and nothing else."""
    assert outcome.code == 0, outcome.errors
    assert job.content() == job.new, differences(job.content(), job.new)
    results = {Path(result).parts[0] for result in job.results}
    expected = {path.name for path in job.template.iterdir()} | results
    assert {path.name for path in job.desk.iterdir()} == expected


def check_refusal(job, outcome, path):
    """A run that met an error says so in one line that names the file."""
    # What a training shows of its steps stays on the terminal.
    lines = [line for line in outcome.errors.splitlines() if not re.search(r"^\s*$| lr \d", line)]
    assert outcome.code > 0, f"exit code {outcome.code}: {outcome.errors}"
    assert len(lines) == 1, outcome.errors
    assert lines[0].startswith("packkit: "), outcome.errors
    assert any(name in lines[0] for name in names_of(path)), f"{path} is not in: {lines[0]}"


def names_of(path):
    """How a message may call a file: by its name, or by the name that it is written for."""
    parts = Path(path).parts
    checkpoint = re.search(r"step-\d+", path)
    return [parts[-1].removesuffix(".tmp"), *([checkpoint[0]] if checkpoint else [])]
