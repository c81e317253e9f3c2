"""The jobs under test: commands, what lies in their folder before, and what they leave behind.

Every trial starts from a copy of the job's template, in a folder of one and the same path, because
a job is told by its inputs' times and by paths.
"""

import gzip
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from checks import comparable, files_of
from fork_server import Outcome
from packing_inputs import caption, png, write_lines

# 24 x 16 pixels; two shards of some kilobytes.
PACK = ["pack", "in", "--out", "out", "--workers", "1", "--tokenizer", "tokenizer.json"]
PACK += ["--image-tokens", "4", "--max-len", "512", "--shard-size", "20000"]
PACK += ["--max-reject-rate", "1"]
MIX = ["--data", ".", "--tokenizer", "tokenizer.json"]
MIX_TEXT = """
version = 1
name = "two"
[pack]
max_len = 512
image_tokens = 4
shard_size = 16000
[[sources]]
use = "a"
path = "in/a.jsonl"
take = 6
max_reject_rate = 1.0
[[sources]]
use = "b"
path = "in/b.jsonl.gz"
repeat = 1.5
"""

RECIPE = """
[run]
out = "run"
device = "cpu"
precision = "fp32"
checkpoint_every = 2
keep = 9
[data]
packs = "out"
packs_per_step = 2
epochs = 1
threads = 1
[model]
weights = "random"
image_tokens = 4
[model.language]
vocab_size = 320
hidden_size = 16
intermediate_size = 32
num_hidden_layers = 1
num_attention_heads = 2
num_key_value_heads = 1
head_dim = 8
tie_word_embeddings = true
[model.vision]
hidden_size = 16
intermediate_size = 32
num_hidden_layers = 2
num_attention_heads = 2
image_size = 12
patch_size = 4
[optimizer]
lr = 0.001
"""


@dataclass
class Job:
    """A command and its template.

    Attributes:
        name: Name of the job.
        words: The command and its options.
        template: Folder that holds what lies there before.
        desk: Folder that trials run in.
        results: Names, below the desk, of what the command makes.
        loose: Parts of the result that differ from run to run.
        old: Content of the result that was there before; None where there was none.
        new: Content of the result of a run that nothing disturbed.
        task: Task of the server that does the job.
        lacks: Name of a call of the C library that the system is to lack.
        folder: Folder that is the job's own, with more in it than the results.
        proof: Words of a command that must succeed after the job.
        has_manifest: Whether the result is whole where it has a manifest; else every file of it is.
    """

    name: str
    words: list[str]
    template: Path
    desk: Path
    results: tuple[str, ...] = ("out",)
    loose: tuple[str, ...] = ("run.json",)
    old: dict | None = None
    new: dict = field(default_factory=dict)
    task: str = "command"
    has_manifest: bool = True
    lacks: str = ""
    folder: str | None = None
    proof: list[str] | None = None

    def lay(self):
        """Puts the desk into the state before the job."""
        shutil.rmtree(self.desk, ignore_errors=True)
        shutil.copytree(self.template, self.desk, symlinks=True)

    def run(self, server, fault=None):
        """Runs the command on the desk as it is; the result holds the calls it made."""
        words = {"words": self.words} if self.task == "command" else {}
        if self.lacks:
            fault = {"kind": "none", "number": -2, **(fault or {}), "lacks": self.lacks}
        outcome = server.run(self.task, folder=str(self.desk), fault=fault, **words)
        if outcome.result is None:
            return outcome
        return Outcome(outcome.result["code"], outcome.errors, outcome.result["calls"])

    def prove(self, server):
        """Runs the command that looks at what the job left, if there is one."""
        if self.proof is not None:
            outcome = server.run("command", words=self.proof, folder=str(self.desk))
            assert outcome.result["code"] == 0, outcome.errors

    def measure(self, server):
        """Runs the job undisturbed; keeps its result, and returns its calls."""
        self.lay()
        self.old = self.content()
        outcome = self.run(server)
        assert outcome.code == 0, outcome.errors
        self.new = self.content()
        return outcome.result

    def content(self):
        """The files of the results, but for what may differ."""
        files = {}
        for result in self.results:
            files |= {
                f"{result}/{name}": comparable(name, data)
                for name, data in files_of(self.desk, result)
            }
        return {name: data for name, data in files.items() if not self.is_loose(name)} or None

    def is_loose(self, name):
        """Whether a file's bytes may differ from run to run."""
        return Path(name).name in self.loose or bool(set(Path(name).parts) & set(self.loose))


def write_inputs(folder, tokenizer):
    """Lines with a bad one and an image file, compressed lines, and what no job may touch."""
    records = [caption(number) for number in range(9)]
    records[3] = b'{"id": "cut", "content": [{"type"'
    records[5] = caption(5, images=[{"path": "images/5.png"}])
    write_lines(folder / "in" / "a.jsonl", records)
    (folder / "in" / "images").mkdir()
    (folder / "in" / "images" / "5.png").write_bytes(png(5))
    lines = "".join(json.dumps(caption(number)) + "\n" for number in range(20, 26))
    (folder / "in" / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "mixture.toml").write_text(MIX_TEXT)
    for name in ("thesis.tex", "out.bak/shard-00000.jsonl", "shard-00007.jsonl", "encoder/mine"):
        path = folder / "foreign" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("precious")
    (folder / "out-notes.txt").write_text("precious")


class Workshop:
    """Makes jobs, each with its template.

    Args:
        server: Server that runs commands.
        folder: Folder for templates and desk.
        tokenizer: The tokenizer.json of all jobs.
    """

    def __init__(self, server, folder, tokenizer):
        self.server, self.folder = server, folder
        self.desk = folder / "desk"
        self.plain = folder / "plain"
        write_inputs(self.plain, tokenizer)

    def job(self, name):
        """Makes a job by its name."""
        return getattr(self, "_" + name.replace("-", "_"))(name)

    def after(self, name, *commands, fault=None, changes=()):
        """Makes a template: the plain one, and what commands leave; the last may be disturbed."""
        template = self.folder / name
        if template.exists():
            return template
        shutil.rmtree(self.desk, ignore_errors=True)
        shutil.copytree(self.plain, self.desk)
        for number, words in enumerate(commands):
            last = number == len(commands) - 1
            arguments = {"words": words, "folder": str(self.desk)}
            outcome = self.server.run("command", fault=fault if last else None, **arguments)
            assert outcome.code == (-9 if fault and last else 0), outcome.errors
            assert outcome.result is None or outcome.result["code"] == 0, outcome.errors
        for change in changes:
            change(self.desk)
        shutil.copytree(self.desk, template, symlinks=True)
        return template

    def _pack(self, name):
        return Job(name, PACK, self.plain, self.desk)

    def _pack_files(self, name):
        return Job(name, [*PACK, "--storage", "files"], self.plain, self.desk)

    def _pack_resumed(self, name):
        calls = self.job("pack").measure(self.server)
        changes = sum(call[2] == "change" for call in calls)
        fault = {"kind": "kill", "number": int(0.7 * changes)}
        return Job(name, PACK, self.after(name, PACK, fault=fault), self.desk)

    def _pack_overwrite(self, name):
        template = self.after("packed-before", [*PACK, "--seed", "5"])
        return Job(name, [*PACK, "--overwrite"], template, self.desk)

    def _pack_overwrite_by_two_renames(self, name):
        job = self._pack_overwrite(name)
        job.lacks = "renameat2"
        return job

    def _mix(self, name):
        resolve = ["mix", "resolve", "mixture.toml", "--lock", "two.lock.json", *MIX]
        build = ["mix", "build", "two.lock.json", "--out", "out", *MIX, "--workers", "1"]
        return Job(name, build, self.after(name, resolve), self.desk)

    def _mix_resolve(self, name):
        words = ["mix", "resolve", "mixture.toml", "--lock", "two.lock.json", *MIX]
        results = ("two.lock.json", "two.lock.json.rejects.jsonl")
        return Job(name, words, self.plain, self.desk, results=results, has_manifest=False)

    def _index(self, name):
        return Job(name, ["index", "out"], self.after("packed", PACK), self.desk)

    def _index_of_lines(self, name):
        def keep_lines(desk):
            (desk / "lines").mkdir()
            shutil.copy(desk / "out" / "shard-00000.jsonl", desk / "lines" / "packs.jsonl")
            shutil.rmtree(desk / "out")

        template = self.after(name, PACK, changes=[keep_lines])
        words = ["index", "lines/packs.jsonl", "--tokenizer", "tokenizer.json"]
        return Job(name, words, template, self.desk, results=("lines",), has_manifest=False)

    def naive(self):
        """A writer that knows nothing of crashes, for the harness to find guilty."""
        return Job("naive", [], self.plain, self.desk, task="naive")

    def training(self):
        """A small model trained for some steps, with a checkpoint every two."""
        template = self.after("training", PACK, changes=[write_recipe])
        job = Job("train", ["train", "recipe.toml"], template, self.desk, ("run/checkpoints",))
        job.loose, job.has_manifest, job.folder = (), False, "run"
        job.proof = ["ledger", "run/ledger", "out"]
        return job


def write_recipe(desk):
    """Writes the recipe of a model that trains in a moment."""
    (desk / "recipe.toml").write_text(RECIPE)
