"""Every backend answers each request once, with the reply that the model writes to it alone."""

import io
import random
import re
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import orjson
import pybase64
import pytest
import torch
from loopback_server import Answer, failure, reply, serving, user_text
from PIL import Image
from tokenizers import Tokenizer
from training_cases import LANGUAGE, VISION

from packkit import PackWriter
from packkit.base.errors import InputError, SampleError
from packkit.encoding import SampleEncoder
from packkit.images import FileImage
from packkit.infimed.chat import AccessError, RetryPolicy
from packkit.infimed.evaluation.answering import EndpointAnswerer, Request, open_answerer
from packkit.infimed.evaluation.answering.packkit_model import PackkitAnswerer
from packkit.infimed.evaluation.answering.transformers_model import TransformersAnswerer
from packkit.samples import Message, Pack, Sample
from packkit.training import DataConfig, ModelConfig, OptimizerConfig, Recipe, RunConfig
from packkit.training.checkpoints import find_checkpoint
from packkit.training.export import export
from packkit.training.generation import Generator
from packkit.training.trainer import train

LIMIT = 24
# As many as the vision encoder makes of an image, so that the model can be exported.
IMAGE_TOKENS = 9


def png(seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def asked(number):
    """A question of some length about none to three images."""
    images = tuple(png(10 * number + index) for index in range(number % 4))
    prompt = f"What is {number}?" + " Say it." * (number % 3)
    return Request(benchmark="toy", question=str(number), prompt=prompt, images=images)


REQUESTS = [asked(number) for number in range(8)]


def learned(request):
    """A sample that teaches to answer a request: some at length, some past the limit."""
    number = int(request.question)
    answer = f"It is {number}." + " So it is." * (number % 3)
    parts = (*[None] * len(request.images), request.prompt)
    messages = (Message("user", parts), Message("assistant", (answer,)))
    return Sample(messages=messages, images=request.images)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_tokenizer):
    """A run that has learned to answer."""
    folder = tmp_path_factory.mktemp("answering")
    spec = {**tiny_tokenizer, "decoder": dict(tiny_tokenizer["pre_tokenizer"], use_regex=True)}
    tokenizer = Tokenizer.from_str(orjson.dumps(spec).decode())
    encoder = SampleEncoder(tokenizer, image_tokens=IMAGE_TOKENS)
    samples = tuple(map(learned, REQUESTS))
    with PackWriter(folder / "packs", encoder=encoder, capacity=1024) as writer:
        writer.write(Pack(samples, tuple(map(encoder.length, samples))))
    recipe = Recipe(
        run=RunConfig(out=str(folder / "run"), precision="fp32"),
        data=DataConfig(packs=str(folder / "packs"), packs_per_step=1, epochs=60, threads=1),
        model=ModelConfig(
            language=LANGUAGE, vision=VISION, weights="random", image_tokens=IMAGE_TOKENS
        ),
        optimizer=OptimizerConfig(lr=2e-2),
    )
    return train(recipe).parents[1]


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    """The run as transformers takes it."""
    return export(run, tmp_path_factory.mktemp("answering") / "llava", precision="fp32")


@pytest.fixture(scope="module")
def expected(run):
    """What the model writes to each request by itself."""
    generator = Generator.load(run, device="cpu")
    replies = {}
    for request in REQUESTS:
        prompt = generator.encode(request.prompt, request.images)
        (replies[request.question],) = generator.generate_batch([prompt], max_new_tokens=LIMIT)
    return replies


def answers(answerer, requests):
    """Everything that was kept, in order."""
    kept = []
    answerer.answer_all(requests, kept.append)
    return kept


@pytest.fixture(params=["packkit", "transformers"])
def open_local(request, run, exported):
    """Opens the model in this process, by either backend."""
    model = run if request.param == "packkit" else exported

    def start(batch_size, max_new_tokens=LIMIT):
        options = {"max_new_tokens": max_new_tokens, "batch_size": batch_size, "device": "cpu"}
        return open_answerer(str(model), backend=request.param, **options)

    return start


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_each_request_has_the_answer_that_it_has_by_itself(open_local, expected, batch_size):
    requests = random.Random(batch_size).sample(REQUESTS, len(REQUESTS))
    kept = answers(open_local(batch_size), requests)
    assert sorted(answer.question for answer in kept) == sorted(expected)
    for answer in kept:
        assert (answer.benchmark, answer.state, answer.error) == ("toy", "ok", "")
        alone = expected[answer.question]
        assert (answer.text, answer.tokens) == (alone.text, alone.tokens)
        assert answer.is_cut == alone.is_cut
    assert {answer.is_cut for answer in kept} == {True, False}
    assert len({answer.text for answer in kept}) > 4


def test_images_are_read_where_they_stand(open_local, expected, tmp_path):
    def stored(number, data):
        path = tmp_path / f"{number}.png"
        path.write_bytes(data)
        return FileImage(str(path))

    request = REQUESTS[2]
    images = tuple(stored(number, data) for number, data in enumerate(request.images))
    (answer,) = answers(open_local(4), [replace(request, images=images)])
    assert answer.text == expected["2"].text


@pytest.mark.parametrize("backend", ["packkit", "transformers", "endpoint"])
@pytest.mark.parametrize("image", [b"no image", png(1)[:300], FileImage("nowhere.png")])
def test_a_bad_image_ends_the_run_and_is_named(run, exported, backend, image):
    requests = [replace(REQUESTS[1], question="7/a", images=(image,)), REQUESTS[0]]
    models = {"packkit": run, "transformers": exported}
    with serving(lambda request: reply("Yes.")) as server:
        url = server.url if backend == "endpoint" else None
        answerer = open_answerer(str(models.get(backend, "m")), backend=backend, base_url=url)
        with pytest.raises(SampleError, match=r"question 7/a of toy: ") as caught:
            answers(answerer, requests)
    assert caught.value.reason in ("invalid_image", "missing_image")


def test_a_folder_is_opened_by_what_it_holds(run, exported, tmp_path):
    checkpoint = find_checkpoint(run)
    others = tmp_path / "others"
    shutil.copytree(exported, others)
    (others / "encoder.json").unlink()
    for path, kind in [
        (run, PackkitAnswerer),
        (checkpoint, PackkitAnswerer),
        (exported, PackkitAnswerer),
        (others, TransformersAnswerer),
    ]:
        answerer = open_answerer(str(path), device="cpu")
        assert type(answerer) is kind
        # Answers are those of one checkpoint, whatever the run comes to.
        assert answerer.model == str(checkpoint if path == run else path)
    assert type(open_answerer("m", base_url="http://localhost:1/v1")) is EndpointAnswerer


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"backend": "packkit", "base_url": "http://x"}, "base_url must be left out .* packkit"),
        ({"backend": "transformers", "concurrency": 2}, "concurrency must be left out"),
        ({"base_url": "http://x", "batch_size": 2}, "batch_size must be left out .* endpoint"),
        ({"base_url": "http://x", "device": "cpu"}, "device must be left out"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"batch_size": 4097}, "batch_size must be at most 4096, got 4097"),
        ({"base_url": "http://x", "concurrency": 10**8}, "concurrency must be at most 4096"),
        ({"max_new_tokens": 2**24 + 1}, "max_new_tokens must be at most 16777216"),
        ({"base_url": "http://x", "concurrency": 0}, "concurrency must be at least 1, got 0"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1, got 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        open_answerer("nowhere", **options)


def test_a_folder_that_cannot_be_opened_is_refused(exported, tmp_path):
    def refused(name, words, backend="transformers"):
        with pytest.raises(InputError, match=words) as caught:
            open_answerer(str(tmp_path / name), backend=backend)
        assert str(tmp_path / name) in str(caught.value)

    refused("nowhere", "cannot read a config", backend="packkit")
    refused("nowhere", "transformers cannot open it")
    for name in ("no-template", "no-images"):
        shutil.copytree(exported, tmp_path / name)
    (tmp_path / "no-template" / "chat_template.jinja").unlink()
    refused("no-template", "has no chat template")
    (tmp_path / "no-images" / "processor_config.json").unlink()
    (tmp_path / "no-images" / "config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "no-images" / "tokenizer_config.json").write_text("{}")
    refused("no-images", "has no image processor")


class Script:
    """Answers a question by its number, and by how often it was asked."""

    def __init__(self, planned):
        self.planned, self.came = planned, Counter()

    def __call__(self, request):
        number = int(re.search(r"What is (\d+)", user_text(request))[1])
        self.came[number] += 1
        turns = self.planned.get(number, [])
        turn = self.came[number] - 1
        return turns[turn] if turn < len(turns) else reply(f"It is {number}.", usage=(50, number))


def endpoint(server, **options):
    policy = RetryPolicy(attempts=3, base=0.01, longest=1.0)
    options = {"max_new_tokens": 60, "concurrency": 4, "policy": policy} | options
    return EndpointAnswerer("m", base_url=server.url, **options)


def test_each_request_ends_in_one_state_and_every_token_counts():
    script = Script(
        {
            1: [failure(500), failure(429, headers={"Retry-After": "0.1"})],
            2: [
                reply("x" * 500, cut_after=50),
                Answer(body=b"{broken"),
                reply("<think>…</think>B"),
            ],
            3: [failure(503)] * 9,
            4: [reply("", refusal="I will not", usage=(50, 3))],
            5: [failure(400, "filtered", code="content_filter")],
            6: [reply("half", finish_reason="content_filter", usage=(50, 1))],
            7: [reply("It is", finish_reason="length", usage=(50, 60))],
            8: [failure(400, "Invalid image")],
            9: [Answer(body={"choices": []}), reply("C", usage=None)],
        }
    )
    with serving(script) as server:
        kept = answers(endpoint(server), list(map(asked, range(12))))
        server.settle()
    by_number = {int(answer.question): answer for answer in kept}
    assert len(by_number) == len(kept) == 12
    states = {number: answer.state for number, answer in by_number.items() if answer.state != "ok"}
    bad = {3: "http_error", 8: "http_error", 4: "refused", 5: "refused", 6: "refused"}
    assert states == bad
    for answer in kept:
        assert (answer.text == "") == (answer.state != "ok") == (answer.error != "")
    assert [by_number[number].text for number in (0, 1, 2, 7, 9)] == [
        *("It is 0.", "It is 1.", "<think>…</think>B", "It is", "C")
    ]
    assert [number for number, answer in by_number.items() if answer.is_cut] == [7]
    assert by_number[9].tokens is None and by_number[3].tokens is None
    assert sum(answer.tokens or 0 for answer in kept) == server.usage[1]


def test_a_request_carries_images_then_text_and_no_format():
    request = REQUESTS[2]
    with serving(lambda request: reply("Yes.")) as server:
        answers(endpoint(server), [request])
    (entry,) = server.log
    content = entry.request["messages"][0].pop("content")
    assert [part["type"] for part in content] == ["image_url", "image_url", "text"]
    sent = [pybase64.b64decode(part["image_url"]["url"].split(",")[1]) for part in content[:2]]
    assert sent == list(request.images)
    assert content[2]["text"] == request.prompt
    rest = {"model": "m", "max_completion_tokens": 60, "temperature": 0}
    assert entry.request == {**rest, "messages": [{"role": "user"}]}


def test_an_endpoint_that_lets_nobody_in_ends_the_run():
    script = Script({2: [failure(401, "go away")]})
    kept = []
    with serving(script) as server, pytest.raises(AccessError, match="go away"):
        endpoint(server, concurrency=1).answer_all(list(map(asked, range(9))), kept.append)
    assert [(answer.question, answer.state) for answer in kept] == [
        *(("0", "ok"), ("1", "ok"), ("2", "http_error"))
    ]


def test_an_answer_is_kept_before_the_next_request_is_sent():
    kept, seen = [], []

    def script(request):
        seen.append(len(kept))
        return reply("Yes.")

    with serving(script) as server:
        endpoint(server, concurrency=1).answer_all(REQUESTS, kept.append)
    assert seen == list(range(len(REQUESTS)))
