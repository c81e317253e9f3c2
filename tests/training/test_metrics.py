"""Metrics are a line a step, whatever stopped the run, and TensorBoard and plot show the same."""

import dataclasses
import math

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from packkit.base.errors import FormatError
from packkit.training.metrics import MetricsLog, StepMetrics, plot_loss, read_metrics


def metrics(step, **values):
    """Metrics of a step; its loss tells it from all others."""
    fields = {
        "step": step,
        "epoch": step // 10,
        "loss": 8.0 / step,
        "lr": 1e-4 * step,
        "grad_norm": 0.5,
        "tokens": 4000 + step,
        "targets": 900,
        "images": 12,
        "efficiency": 0.97,
        "seconds": 0.25,
        "data_seconds": 0.01,
        "tokens_per_second": 16000.0,
        "targets_per_second": 3600.0,
        "images_per_second": 48.0,
        "mfu": None,
    }
    return StepMetrics(**{**fields, **values})


def write(folder, steps, *, after=0, **options):
    with MetricsLog(folder, step=after, **options) as log:
        for step in steps:
            log.write(metrics(step))


def steps_in(folder):
    return [line["step"] for line in read_metrics(folder / "metrics.jsonl")]


def test_a_line_a_step_holds_every_metric(tmp_path):
    write(tmp_path, range(1, 6))
    lines = map(orjson.loads, (tmp_path / "metrics.jsonl").read_bytes().splitlines())
    expected = [dataclasses.asdict(metrics(step)) for step in range(1, 6)]
    assert [{**line, "checksum": None} for line in lines] == [
        {**line, "checksum": None} for line in expected
    ]
    assert read_metrics(tmp_path / "metrics.jsonl") == expected


def test_a_line_can_be_read_as_soon_as_it_is_written(tmp_path):
    with MetricsLog(tmp_path, step=0) as log:
        for step in range(1, 4):
            log.write(metrics(step))
            assert steps_in(tmp_path) == list(range(1, step + 1))


def test_the_folder_is_made_where_it_is_missing(tmp_path):
    write(tmp_path / "runs" / "new", [1])
    assert steps_in(tmp_path / "runs" / "new") == [1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6)), max_size=5))
def test_a_run_that_goes_on_has_every_step_once(tmp_path_factory, stops):
    folder = tmp_path_factory.mktemp("run")
    made = 0
    for back, ahead in stops:
        # Checkpoints lie behind what was written; the steps since are made again.
        saved = max(made - back, 0)
        write(folder, range(saved + 1, saved + ahead + 1), after=saved)
        made = saved + ahead
        assert steps_in(folder) == list(range(1, made + 1))


def test_steps_made_again_have_their_new_values(tmp_path):
    write(tmp_path, range(1, 6))
    with MetricsLog(tmp_path, step=3) as log:
        log.write(metrics(4, loss=0.125))
    losses = [line["loss"] for line in read_metrics(tmp_path / "metrics.jsonl")]
    assert losses == [8.0, 4.0, 8.0 / 3, 0.125]


def test_a_run_that_begins_anew_drops_all_lines(tmp_path):
    write(tmp_path, range(1, 6))
    write(tmp_path, [], after=0)
    assert steps_in(tmp_path) == []


def test_a_line_is_whole_or_left_out_wherever_it_is_torn(tmp_path):
    write(tmp_path, [1, 2])
    path = tmp_path / "metrics.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert steps_in(tmp_path) == [1]
    # Without its line break alone, a line is whole.
    for end in (len(whole) - 1, len(whole)):
        path.write_bytes(whole[:end])
        assert steps_in(tmp_path) == [1, 2]
        write(tmp_path, [3], after=2)
        assert steps_in(tmp_path) == [1, 2, 3]


def test_a_file_that_is_not_of_metrics_is_refused_and_stays(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"my notes")
    for read in (lambda: read_metrics(path), lambda: MetricsLog(tmp_path, step=0)):
        with pytest.raises(FormatError, match="line 1: must begin with"):
            read()
    assert path.read_bytes() == b"my notes"


def test_a_run_goes_on_after_a_torn_line(tmp_path):
    write(tmp_path, [1, 2])
    with open(tmp_path / "metrics.jsonl", "ab") as file:
        file.write(b'{"step":3,"lo')
    write(tmp_path, [3, 4], after=2)
    assert steps_in(tmp_path) == [1, 2, 3, 4]


@pytest.mark.parametrize("corrupt", [b'{"step":2,', b"", b"\xff", b"step 2"])
def test_a_corrupt_line_in_the_middle_is_refused_with_the_file(tmp_path, corrupt):
    write(tmp_path, [1, 2, 3])
    path = tmp_path / "metrics.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[1] = corrupt
    path.write_bytes(b"\n".join(lines))
    before = path.read_bytes()
    for read in (lambda: read_metrics(path), lambda: MetricsLog(tmp_path, step=3)):
        with pytest.raises(FormatError) as caught:
            read()
        assert str(path) in caught.value.path
        assert str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_metrics_of_a_run_that_wrote_none_are_none(tmp_path):
    assert read_metrics(tmp_path / "metrics.jsonl") == []
    (tmp_path / "metrics.jsonl").write_bytes(b"")
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def plotted(folder):
    plot_loss(folder / "metrics.jsonl", folder / "loss.png")
    with Image.open(folder / "loss.png") as image:
        image.load()
        assert image.format == "PNG"
        return image.convert("L")


def test_the_plot_is_a_picture_that_shows_the_loss(tmp_path):
    write(tmp_path, [])
    empty = plotted(tmp_path)
    write(tmp_path, range(1, 50))
    full = plotted(tmp_path)
    assert full.size == empty.size and min(full.size) > 300
    assert full.tobytes() != empty.tobytes()


def test_the_plot_changes_with_the_loss(tmp_path):
    pictures = []
    for curve in (lambda step: 1 / step, lambda step: math.log(step)):
        with MetricsLog(tmp_path, step=0) as log:
            for step in range(1, 30):
                log.write(metrics(step, loss=curve(step)))
        pictures.append(plotted(tmp_path).tobytes())
    assert pictures[0] != pictures[1]


def board_of(folder):
    """Reads the event files of a run as TensorBoard itself does."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    board = events.EventAccumulator(str(folder / "tensorboard"))
    board.Reload()
    return board


def scalars(board, name):
    return [(event.step, event.value) for event in board.Scalars(name)]


def test_tensorboard_shows_every_metric_that_is_known(tmp_path):
    pytest.importorskip("tensorboard")
    write(tmp_path, range(1, 8), tensorboard=True)
    board = board_of(tmp_path)
    lines = read_metrics(tmp_path / "metrics.jsonl")
    names = {field.name for field in dataclasses.fields(StepMetrics)} - {"step", "mfu"}
    assert set(board.Tags()["scalars"]) == names
    for name in names:
        events = scalars(board, name)
        assert [step for step, _ in events] == list(range(1, 8))
        # Event files hold float32.
        assert [value for _, value in events] == pytest.approx([line[name] for line in lines])


def test_tensorboard_shows_the_share_of_the_peak_where_it_is_known(tmp_path):
    pytest.importorskip("tensorboard")
    with MetricsLog(tmp_path, step=0, tensorboard=True) as log:
        log.write(metrics(1, mfu=0.5))
    assert scalars(board_of(tmp_path), "mfu") == [(1, 0.5)]


def test_tensorboard_forgets_the_steps_that_a_stop_undid(tmp_path):
    pytest.importorskip("tensorboard")
    write(tmp_path, range(1, 7), tensorboard=True)
    with MetricsLog(tmp_path, step=4, tensorboard=True) as log:
        log.write(metrics(5, loss=0.25))
    expected = [(step, pytest.approx(8.0 / step)) for step in range(1, 5)]
    assert scalars(board_of(tmp_path), "loss") == [*expected, (5, 0.25)]


def test_no_event_file_is_written_where_nobody_asked(tmp_path):
    write(tmp_path, [1])
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
