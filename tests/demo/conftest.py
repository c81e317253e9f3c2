"""The demo, built once: its folder, and what stands in it."""

import json
import subprocess
import sys
import tarfile

import pyarrow.parquet as pq
import pydicom
import pytest
from demo_reading import DEMO, decode, locate

from packkit.infimed.evaluation.benchmarks import BENCHMARKS, read_benchmark


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-W", "error", str(DEMO / "build.py"), str(folder / "data")]
    command += ["--tokenizer", str(folder / "tokenizer.json")]
    command += ["--benchmarks", str(folder / "benchmarks")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return folder, done.stdout


@pytest.fixture(scope="session")
def data(built):
    return built[0] / "data"


@pytest.fixture(scope="session")
def questions(built):
    """Every question of the benchmarks."""
    folders = {name: built[0] / "benchmarks" / name for name in BENCHMARKS}
    return [one for name, path in folders.items() for one in read_benchmark(name, path)]


@pytest.fixture(scope="session")
def conversations(data):
    lines = (data / "vqa" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="session")
def captions(data):
    return pq.read_table(data / "captions.parquet").to_pylist()


@pytest.fixture(scope="session")
def members(data):
    """Every member of the tars, by key and extension."""
    found = {}
    for path in sorted((data / "webdataset").glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
                key, _, extension = member.name.partition(".")
                record = found.setdefault(key, {})
                assert extension not in record
                record[extension] = tar.extractfile(member).read()
    return found


@pytest.fixture(scope="session")
def pixels(data):
    """The decoded pictures, by key."""
    return {path.stem: decode(path.read_bytes()) for path in (data / "vqa" / "images").iterdir()}


@pytest.fixture(scope="session")
def dicom():
    """A function from package/file to the dataset, which reads each file once."""
    read = {}

    def dataset(file):
        if file not in read:
            read[file] = pydicom.dcmread(locate(file))
        return read[file]

    return dataset
