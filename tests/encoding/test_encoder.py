import json
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from packkit.base.errors import FingerprintError, FormatError, InputError, RejectReason, SampleError
from packkit.encoding import EncodedSample, SampleEncoder
from packkit.encoding import encoder as encoder_module
from packkit.samples import Message, Sample

IMAGE_TOKENS = 5
MERGES_WITH_HEADER = re.compile(r"\s*[\r\n]")
"""Bodies that a tokenizer joins with the newline of their header, see `packkit.encoding`."""
SPELLS_A_TOKEN = re.compile(r"<\||</?(think|tool)")


@pytest.fixture(scope="module")
def few(qwen3_folder):
    """An encoder with so few tokens an image that cuts fall everywhere."""
    return SampleEncoder(qwen3_folder, image_tokens=IMAGE_TOKENS)


@pytest.fixture(scope="module")
def ids_in_transformers(qwen3_in_transformers):
    def encode(messages):
        plain = [{"role": message.role, "content": message.content[0]} for message in messages]
        return qwen3_in_transformers.apply_chat_template(plain, tokenize=True, return_dict=False)

    return encode


@pytest.fixture(scope="module")
def control_tokens(qwen3_folder):
    """Every control token of Qwen3 and its id."""
    added = json.loads((qwen3_folder / "tokenizer.json").read_text())["added_tokens"]
    return {token["content"]: token["id"] for token in added}


@pytest.fixture(scope="module")
def control_ids_in(control_tokens):
    """The control tokens of a sample, less those of its images."""
    numbers = set(control_tokens.values()) - {control_tokens["<|image_pad|>"]}
    return lambda encoded: [id for id in encoded.input_ids.tolist() if id in numbers]


@pytest.fixture(scope="module")
def decode(qwen3_in_transformers):
    return lambda ids: qwen3_in_transformers.decode(ids.tolist())


def chat(*turns):
    """A conversation of alternating user and assistant turns; None in a turn is an image."""
    roles = ("user", "assistant") * len(turns)
    messages = tuple(
        Message(role, (turn,) if isinstance(turn, str) else turn)
        for role, turn in zip(roles, turns, strict=False)
    )
    return Sample(messages=messages, images=(b"",) * images_in(messages))


def images_in(messages):
    return sum(message.content.count(None) for message in messages)


def document(*parts):
    return Sample(content=parts, images=(b"",) * parts.count(None))


def limited(sample, limit):
    return Sample(
        messages=sample.messages, content=sample.content, images=sample.images, token_limit=limit
    )


def arrays_of(encoded):
    return [array.tolist() for array in (encoded.input_ids, encoded.labels, encoded.image_slots)]


def trained(encoded):
    return encoded.labels[encoded.labels != -100]


def turn(role, text):
    return Message(role, (text,))


class TestSameIdsAsTheChatTemplate:
    @pytest.mark.parametrize(
        "messages",
        [
            [turn("user", "Which plane is this?"), turn("assistant", "Axial.")],
            [
                turn("system", "You are a radiologist."),
                turn("user", "这张CT图像显示了什么？"),
                turn("assistant", "右肺上叶可见一个约3厘米的结节。"),
                turn("user", "需要进一步检查吗？\n请说明理由。"),
                turn("assistant", "是的，建议行增强CT检查。\n\n1. 明确性质\n2. 评估淋巴结"),
            ],
            [
                turn("user", "Why?"),
                turn("assistant", "<think>\nBright on T2.\n</think>\n\nIt is fluid."),
                turn("user", "Sure?"),
                turn("assistant", "<think>\nAgain: bright.\n\nYes.\n</think>\n\nYes, I am."),
            ],
            [turn("user", "Hi"), turn("assistant", "One."), turn("assistant", "Two.")],
            [
                turn("user", "Hi"),
                turn("assistant", "<think>\nFirst.\n</think>\n\nOne."),
                turn("assistant", "Two."),
            ],
            [turn("assistant", "I speak first."), turn("user", "Go on."), turn("assistant", "")],
            [turn("user", "a"), turn("system", "Be brief."), turn("assistant", "b")],
            [turn("assistant", "Nobody asked.")],
            [turn("user", "  two spaces"), turn("assistant", "\tone tab\u3000")],
            [turn("user", "a"), turn("assistant", "\n\nnewlines of the last turn are stripped")],
        ],
    )
    def test_of_a_conversation(self, messages, encoder, ids_in_transformers):
        encoded = encoder.encode(Sample(messages=tuple(messages)))
        assert encoded.input_ids.tolist() == ids_in_transformers(messages)

    texts = st.text(max_size=30) | st.text(alphabet="ab .,'\n\r\t\u3000\u0301肺部1é", max_size=30)
    texts = texts.filter(lambda text: not SPELLS_A_TOKEN.search(text))
    bodies = texts.filter(lambda text: not MERGES_WITH_HEADER.match(text))
    reasoned = st.builds("<think>\n{}\n</think>\n\n{}".format, texts, bodies)
    messages = st.lists(
        st.one_of(
            st.builds(turn, st.sampled_from(["system", "user"]), bodies),
            st.builds(turn, st.just("assistant"), bodies | reasoned),
        ),
        max_size=6,
    )

    @given(messages=messages, last=bodies | reasoned)
    def test_of_any_plain_conversation(self, messages, last, encoder, ids_in_transformers):
        messages = (*messages, turn("assistant", last))
        encoded = encoder.encode(Sample(messages=messages))
        assert encoded.input_ids.tolist() == ids_in_transformers(messages)

    @pytest.mark.parametrize("body", ["\nHello", "\n\nHello", " \nHello", "\n\r\nHello", "\n"])
    def test_but_for_a_body_that_starts_with_a_line_break(
        self, body, encoder, ids_in_transformers, decode
    ):
        """The joint string merges the header's newline with it; at inference nothing does."""
        messages = (turn("user", body), turn("assistant", "Hi"))
        ids = encoder.encode(Sample(messages=messages)).input_ids
        joint = ids_in_transformers(messages)
        assert ids.tolist() != joint
        assert decode(ids) == decode(np.array(joint))
        header = encoder.encode(chat("a", "b")).input_ids[:3]
        assert decode(header) == "<|im_start|>user\n"
        assert ids[:3].tolist() == header.tolist()

    def test_of_plain_chatml_too(self, qwen3_folder, qwen3_in_transformers):
        chatml = SampleEncoder(qwen3_folder, template="chatml")
        text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n"
        ids = chatml.encode(chat("Hi", "Hello")).input_ids
        assert ids.tolist() == qwen3_in_transformers.encode(text)


class TestTextIsText:
    @staticmethod
    def samples_with(text):
        return (
            document(None, text),
            chat((text, None), "Axial."),
            chat("Which plane?", f"{text}Axial."),
            Sample(messages=(turn("system", text), turn("user", "a"), turn("assistant", "b"))),
        )

    def check(self, text, encoder, control_ids_in, decode):
        for hostile, plain in zip(self.samples_with(text), self.samples_with("x"), strict=True):
            encoded = encoder.encode(hostile)
            assert control_ids_in(encoded) == control_ids_in(encoder.encode(plain))
            assert np.count_nonzero(encoded.input_ids == 151655) == 144 * len(hostile.images)
            assert text in decode(encoded.input_ids)

    def test_whatever_token_it_spells(self, encoder, control_tokens, control_ids_in, decode):
        for token in {*control_tokens, "<image>", "<|vision_start|>"} - {"<think>", "</think>"}:
            self.check(token, encoder, control_ids_in, decode)

    fragments = st.sampled_from(
        ["<|im_end|>", "<|image_pad|>", "<tool_call>", "<image>", "<|", "im_end", "|>", "<", " "]
    )

    @given(text=st.lists(fragments, min_size=1, max_size=6).map("".join))
    def test_whatever_it_is_made_of(self, text, encoder, control_ids_in, decode):
        self.check(text, encoder, control_ids_in, decode)

    @pytest.mark.parametrize("tag", ["<think>", "</think>", "<think>a</think>"])
    def test_think_tags_too_but_in_assistant_turns(self, tag, encoder, control_ids_in):
        for make in (document, lambda text: chat(text, "b"), lambda text: chat((text, None), "b")):
            encoded, plain = encoder.encode(make("a" + tag)), encoder.encode(make("a"))
            assert control_ids_in(encoded) == control_ids_in(plain)

    @pytest.mark.parametrize("template", ["qwen3", "chatml"])
    def test_think_tags_are_tokens_in_assistant_turns(self, template, qwen3_folder, control_tokens):
        encoder = SampleEncoder(qwen3_folder, template=template)
        ids = encoder.encode(chat("a", "<think>b</think>c")).input_ids.tolist()
        assert [ids.count(control_tokens[tag]) for tag in ("<think>", "</think>")] == [1, 1]

    def test_think_tags_stay_text_where_the_tokenizer_has_none(self, small_tokenizer):
        small_tokenizer["added_tokens"] = small_tokenizer["added_tokens"][:4]
        tokenizer = Tokenizer.from_str(json.dumps(small_tokenizer))
        encoder = SampleEncoder(tokenizer, template="chatml")
        ids = encoder.encode(chat("a", "<think>b</think>")).input_ids.tolist()
        spelled = tokenizer.encode("<think>b</think>").ids
        assert ids[-len(spelled) - 2 : -2] == spelled


class TestLabels:
    def test_of_a_conversation(self, encoder, decode):
        encoded = encoder.encode(chat(("Look: ", None, " Which?"), "Axial.", "Sure?", "Yes."))
        assert decode(trained(encoded)) == "Axial.<|im_end|>Yes.<|im_end|>"
        is_trained = encoded.labels != -100
        assert (encoded.labels == np.where(is_trained, encoded.input_ids, -100)).all()

    def test_of_reasoning(self, encoder, decode):
        text = "<think>\nBright.\n</think>\n\nFluid."
        assert decode(trained(encoder.encode(chat("Why?", text)))) == text + "<|im_end|>"

    def test_of_the_think_block_that_the_template_puts_in(self, encoder, decode):
        encoded = encoder.encode(chat("Why?", "Fluid."))
        assert "<think>\n\n</think>\n\n" in decode(encoded.input_ids)
        assert decode(trained(encoded)) == "Fluid.<|im_end|>"

    def test_train_of_a_message_wins_over_its_role(self, encoder, decode):
        messages = (
            Message("system", ("s",), train=True),
            Message("user", ("u",), train=True),
            Message("assistant", ("a",), train=False),
            Message("user", ("v",), train=False),
            Message("assistant", ("b",), train=True),
        )
        encoded = encoder.encode(Sample(messages=messages))
        assert decode(trained(encoded)) == "s<|im_end|>u<|im_end|>b<|im_end|>"

    def test_of_a_document_all_but_its_first_token_and_its_images(self, encoder, decode):
        encoded = encoder.encode(document("One two", None, " three."))
        first = decode(encoded.input_ids[:1])
        assert encoded.labels[0] == -100
        assert first + decode(trained(encoded)) == "One two three.<|endoftext|>"

    @pytest.mark.parametrize(
        "sample",
        [
            document(""),
            chat("Only a question"),
            Sample(messages=(Message("assistant", ("a",), train=False),)),
        ],
    )
    def test_sample_without_any_is_rejected(self, sample, encoder):
        with pytest.raises(SampleError, match="no token of it is trained") as error:
            encoder.encode(sample)
        assert error.value.reason is RejectReason.NO_TARGETS


class TestImages:
    def test_slots_hold_the_slot_token_and_nothing_else_does(self, encoder, control_tokens):
        encoded = encoder.encode(chat((None, "a", None, None), "<|image_pad|>"))
        assert encoded.image_slots.tolist() == [[3, 144], [148, 144], [292, 144]]
        in_slots = np.zeros(encoded.length, bool)
        for start, tokens in encoded.image_slots.tolist():
            in_slots[start : start + tokens] = True
        assert ((encoded.input_ids == control_tokens["<|image_pad|>"]) == in_slots).all()
        assert (encoded.labels[in_slots] == -100).all()

    def test_sample_without_images_has_no_slots(self, encoder):
        assert encoder.encode(chat("a", "b")).image_slots.shape == (0, 2)

    def test_policy_sees_the_size_of_each_image(self, qwen3_folder):
        class Area:
            spec = "area"

            def __call__(self, width, height):
                return width * height

        encoder = SampleEncoder(qwen3_folder, image_tokens=Area())
        encoded = encoder.encode(document(None, None, "a"), image_sizes=[(2, 3), (1, 4)])
        assert encoded.image_slots.tolist() == [[0, 6], [6, 4]]
        broken, whole = encoder.encode_batch(
            [document(None, "a"), document(None, "a")], image_sizes=[None, [(1, 1)]]
        )
        assert isinstance(broken, SampleError)
        assert whole.image_slots.tolist() == [[0, 1]]


parts = st.lists(st.none() | st.sampled_from(["a", "some words", "\n"]), min_size=1, max_size=6)
samples = st.builds(lambda parts: document(*parts), parts) | st.builds(
    lambda turns: chat(*map(tuple, turns)), st.lists(parts, min_size=1, max_size=4)
)


def try_encode(encoder, sample):
    try:
        return encoder.encode(sample)
    except SampleError as error:
        return error


class TestTruncation:
    @given(sample=samples, limit=st.integers(1, 80))
    def test_keeps_the_longest_prefix_that_splits_no_image(self, sample, limit, few):
        whole = try_encode(few, sample)
        assume(isinstance(whole, EncodedSample))
        cut = min(limit, whole.length)
        for start, tokens in whole.image_slots.tolist():
            if start < cut < start + tokens:
                cut = start
        kept = [slot for slot in whole.image_slots.tolist() if sum(slot) <= cut]
        encoded = try_encode(few, limited(sample, limit))
        if (whole.labels[:cut] == -100).all():
            assert isinstance(encoded, SampleError)
            assert encoded.reason is RejectReason.NO_TARGETS
        else:
            assert arrays_of(encoded) == [
                whole.input_ids[:cut].tolist(),
                whole.labels[:cut].tolist(),
                kept,
            ]

    def test_image_that_would_be_split_takes_along_what_follows(self, few):
        sample = document("a b c", None, " d e f")
        start = few.encode(sample).image_slots[0, 0]
        assert few.length(limited(sample, start + IMAGE_TOKENS - 1)) == start
        assert few.length(limited(sample, start + IMAGE_TOKENS)) == start + IMAGE_TOKENS

    def test_message_of_a_sample_cut_too_short_names_the_limit(self, few):
        with pytest.raises(SampleError, match="no token of it is trained within token_limit 4"):
            few.encode(limited(chat("a", "b"), 4))


class TestBatch:
    @given(batch=st.lists(st.builds(limited, samples, st.none() | st.integers(1, 60)), max_size=8))
    def test_is_one_sample_at_a_time(self, batch, few):
        encoded = few.encode_batch(batch)
        assert len(encoded) == len(batch)
        for sample, result in zip(batch, encoded, strict=True):
            alone = try_encode(few, sample)
            if isinstance(alone, SampleError):
                assert str(result) == str(alone)
            else:
                assert arrays_of(result) == arrays_of(alone)
                assert {array.dtype for array in (result.input_ids, result.labels)} == {
                    np.dtype(np.int32)
                }
                assert result.image_slots.dtype == np.int32
                assert few.length(sample) == result.length == len(result.labels)

    def test_bad_sample_does_not_disturb_its_neighbours(self, few):
        good = chat("a", "b")
        first, bad, last = few.encode_batch([good, chat("\udcff", "b"), good])
        assert isinstance(bad, SampleError)
        assert arrays_of(first) == arrays_of(last) == arrays_of(few.encode(good))

    def test_nothing_gives_nothing(self, few):
        assert few.encode_batch([]) == []

    def test_from_many_threads_at_once(self, qwen3_folder):
        batches = [[chat(f"{i} {j}", f"{i * j}") for j in range(50)] for i in range(16)]
        fresh = SampleEncoder(qwen3_folder, image_tokens=IMAGE_TOKENS)
        with ThreadPoolExecutor(8) as pool:
            threaded = list(pool.map(fresh.encode_batch, batches))
        for batch, results in zip(batches, threaded, strict=True):
            expected = map(arrays_of, fresh.encode_batch(batch))
            assert list(map(arrays_of, results)) == list(expected)


class TestSettings:
    @pytest.fixture
    def tokenizer(self, small_tokenizer):
        return Tokenizer.from_str(json.dumps(small_tokenizer))

    def test_unknown_template_is_refused(self, tokenizer):
        with pytest.raises(InputError, match="template must be one of chatml, qwen3, got 'llama'"):
            SampleEncoder(tokenizer, template="llama")

    def test_missing_image_slot_is_named(self, tokenizer):
        with pytest.raises(InputError, match="no added token '<image>', which image_slot needs"):
            SampleEncoder(tokenizer, image_slot="<image>")

    def test_missing_control_token_is_named_with_the_template(self, small_tokenizer):
        small_tokenizer["added_tokens"].pop()
        tokenizer = Tokenizer.from_str(json.dumps(small_tokenizer))
        with pytest.raises(InputError, match="no added token '</think>', which template qwen3"):
            SampleEncoder(tokenizer)

    @pytest.mark.parametrize(
        ("setting", "parts"),
        [
            ({}, []),
            ({"image_tokens": "fixed:144"}, []),
            ({"image_tokens": 145}, ["image_tokens"]),
            ({"template": "chatml"}, ["template"]),
            ({"image_slot": "<|endoftext|>"}, ["image_slot", "image_slot_id"]),
        ],
    )
    def test_fingerprint_changes_with_each(self, setting, parts, tokenizer):
        before, after = SampleEncoder(tokenizer), SampleEncoder(tokenizer, **setting)
        assert (before.fingerprint != after.fingerprint) == bool(parts)
        differences = after.differences(before.describe())
        assert [line.split()[0] for line in differences] == parts

    def test_fingerprint_changes_with_the_tokenizer_and_the_encoding_version(
        self, small_tokenizer, tokenizer, monkeypatch
    ):
        before = SampleEncoder(tokenizer)
        small_tokenizer["model"]["merges"].pop()
        fewer_merges = SampleEncoder(Tokenizer.from_str(json.dumps(small_tokenizer)))
        assert [line.split()[0] for line in fewer_merges.differences(before.describe())] == [
            "tokenizer_model"
        ]
        monkeypatch.setattr(encoder_module, "ENCODING_VERSION", 2)
        later = SampleEncoder(tokenizer)
        assert later.differences(before.describe()) == ["encoding_version is 1 there, 2 here"]
        assert len({before.fingerprint, fewer_merges.fingerprint, later.fingerprint}) == 3

    def test_qwen3_keeps_its_fingerprint_through_save_pretrained(
        self, encoder, qwen3_in_transformers, tmp_path
    ):
        qwen3_in_transformers.save_pretrained(tmp_path)
        assert SampleEncoder(tmp_path).fingerprint == encoder.fingerprint


class TestSaveAndLoad:
    @pytest.fixture
    def saved(self, small_tokenizer, tmp_path):
        tokenizer = Tokenizer.from_str(json.dumps(small_tokenizer))
        encoder = SampleEncoder(
            tokenizer, image_tokens=9, template="chatml", image_slot="<|endoftext|>"
        )
        encoder.save(tmp_path / "encoder")
        return encoder, tmp_path / "encoder"

    def test_round_trip(self, saved, tmp_path):
        encoder, folder = saved
        loaded = SampleEncoder.load(folder)
        assert loaded.describe() == encoder.describe()
        sample = chat((None, "in the <theatre>"), "Axial.")
        assert arrays_of(loaded.encode(sample)) == arrays_of(encoder.encode(sample))
        loaded.save(tmp_path / "again")
        for name in ("tokenizer.json", "encoder.json"):
            assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()

    def test_encoder_json_is_the_description(self, saved):
        encoder, folder = saved
        assert json.loads((folder / "encoder.json").read_text()) == encoder.describe()

    def test_other_tokenizer_in_the_folder_is_named(self, saved, small_tokenizer):
        _, folder = saved
        (folder / "tokenizer.json").write_text(json.dumps({**small_tokenizer, "normalizer": None}))
        with pytest.raises(FingerprintError, match="not the encoder that was saved") as error:
            SampleEncoder.load(folder)
        (difference,) = error.value.differences
        assert difference.startswith("tokenizer_normalizer is ")

    def test_fingerprint_that_was_changed_by_hand_is_seen(self, saved):
        _, folder = saved
        path = folder / "encoder.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"fingerprint": "0"}))
        with pytest.raises(FingerprintError, match="fingerprint is not that of the settings"):
            SampleEncoder.load(folder)

    @pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b'{"template": "qwen3"}', b"\xff"])
    def test_broken_encoder_json_is_named(self, data, saved):
        _, folder = saved
        (folder / "encoder.json").write_bytes(data)
        with pytest.raises(FormatError, match=r"encoder\.json: must hold what an encoder"):
            SampleEncoder.load(folder)

    def test_missing_encoder_json_is_named(self, tmp_path):
        with pytest.raises(FormatError, match=r"encoder\.json: cannot read it: No such file"):
            SampleEncoder.load(tmp_path)

    def test_policy_of_the_user_comes_back_by_hand(self, small_tokenizer, tmp_path):
        class Halves:
            spec = "halves"

            def __call__(self, width, height):
                return width // 2

        encoder = SampleEncoder(
            Tokenizer.from_str(json.dumps(small_tokenizer)), image_tokens=Halves()
        )
        encoder.save(tmp_path)
        with pytest.raises(InputError, match="got 'halves'"):
            SampleEncoder.load(tmp_path)
        loaded = SampleEncoder.load(tmp_path, image_tokens=Halves())
        assert loaded.fingerprint == encoder.fingerprint


@pytest.fixture(scope="module")
def chatml(qwen3_folder):
    return SampleEncoder(qwen3_folder, image_tokens=IMAGE_TOKENS, template="chatml")


class TestPrompts:
    answers = st.text(max_size=20) | st.sampled_from(["", "\n\nAxial.", " a", "<think></think>b"])
    bodies = st.lists(st.none() | st.text(max_size=20) | st.just("<think>a</think>"), max_size=4)
    turns = st.lists(
        st.builds(
            Message,
            st.sampled_from(["system", "user", "assistant"]),
            bodies.map(tuple),
            st.none() | st.booleans(),
        ),
        min_size=1,
        max_size=5,
    ).map(tuple)

    @staticmethod
    def check(encoder, unfinished, whole):
        """The prompt is how the whole sample begins; returns ids and labels of what is left."""
        try:
            prompt = encoder.encode_prompt(unfinished)
        except SampleError:
            # An image in reasoning that the template leaves out.
            assume(False)
        encoded = encoder.encode(whole)
        assert prompt.input_ids.dtype == prompt.image_slots.dtype == np.int32
        assert (prompt.labels == -100).all()
        assert len(prompt.labels) == prompt.length
        assert prompt.input_ids.tolist() == encoded.input_ids[: prompt.length].tolist()
        assert prompt.image_slots.tolist() == encoded.image_slots.tolist()
        return encoded.input_ids[prompt.length :].tolist(), encoded.labels[prompt.length :]

    @given(messages=turns, answer=answers, is_qwen3=st.booleans())
    def test_of_a_chat_are_its_ids_up_to_the_answer(self, messages, answer, is_qwen3, few, chatml):
        encoder = few if is_qwen3 else chatml
        assume(not is_qwen3 or "</think>" not in answer or answer.startswith("<think></think>"))
        images = (b"",) * images_in(messages)
        unfinished = Sample(messages=messages, images=images)
        whole = Sample(messages=(*messages, turn("assistant", answer)), images=images)
        rest, labels = self.check(encoder, unfinished, whole)
        # All that is left is trained, up to the newline after the turn.
        assert labels[:-1].tolist() == rest[:-1]
        assert labels[-1] == -100
        assert rest[-2] == encoder.end_ids[0]
        assert rest.count(encoder.end_ids[0]) == 1

    @given(
        parts=st.lists(st.none() | st.text(max_size=20), max_size=4),
        text=st.text(max_size=20),
        is_qwen3=st.booleans(),
    )
    def test_of_a_document_that_ends_with_an_image_are_its_ids_up_to_the_text(
        self, parts, text, is_qwen3, few, chatml
    ):
        encoder = few if is_qwen3 else chatml
        shown = (*parts, None)
        rest, labels = self.check(encoder, document(*shown), document(*shown, text))
        assert labels.tolist() == rest
        assert rest[-1] == encoder.end_ids[1]

    @given(parts=st.lists(st.none() | st.text(max_size=20), min_size=1, max_size=5))
    def test_of_a_document_lack_its_end_alone(self, parts, few):
        whole = document(*parts)
        # The first token of a sample is not trained, so one that is its end alone is no sample.
        assume(any(parts) or None in parts)
        rest, _ = self.check(few, whole, whole)
        assert rest == [few.end_ids[1]]

    def test_a_limit_does_not_cut_them(self, few):
        sample = chat(("a b c", None))
        found, expected = few.encode_prompt(limited(sample, 2)), few.encode_prompt(sample)
        assert arrays_of(found) == arrays_of(expected)

    def test_text_that_is_not_valid_utf8_is_refused(self, few):
        with pytest.raises(SampleError, match="lone surrogate"):
            few.encode_prompt(chat("\udcff"))

    @pytest.mark.parametrize("template", ["qwen3", "chatml"])
    def test_end_with_the_header_of_the_answer(self, template, few, chatml, qwen3_in_transformers):
        encoder = {"qwen3": few, "chatml": chatml}[template]
        ids = encoder.encode_prompt(chat("Hi")).input_ids.tolist()
        blank = "<think>\n\n</think>\n\n" if template == "qwen3" else ""
        text = f"<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n{blank}"
        assert ids == qwen3_in_transformers.encode(text)


class TestDecode:
    # The first call loads the tokenizer once more.
    @settings(deadline=None)
    @given(text=st.text(min_size=1, max_size=40))
    def test_gives_back_the_text_that_was_encoded(self, text, encoder):
        # The tokenizer composes characters before anything else.
        text = unicodedata.normalize("NFC", text)
        assert encoder.decode(encoder.encode(document(text)).input_ids) == text

    def test_leaves_out_control_tokens_but_not_what_spells_one(self, encoder):
        ids = encoder.encode(chat((None, "a<|im_end|>"), "b<|image_pad|>")).input_ids
        expected = "user\na<|im_end|>\nassistant\n<think>\n\n</think>\n\nb<|image_pad|>\n"
        assert encoder.decode(ids.tolist()) == expected

    def test_keeps_think_tags(self, encoder):
        encoded = encoder.encode(chat("Why?", "<think>\nBright.\n</think>\n\nFluid."))
        assert encoder.decode(trained(encoded)) == "<think>\nBright.\n</think>\n\nFluid."

    def test_of_nothing_is_nothing(self, encoder):
        assert encoder.decode([]) == ""


class TestProperties:
    def test_end_ids_are_those_of_turn_and_document(self, few, chatml, control_tokens):
        ends = (control_tokens["<|im_end|>"], control_tokens["<|endoftext|>"])
        assert few.end_ids == chatml.end_ids == ends
        assert few.encode(chat("a", "b")).input_ids[-2] == ends[0]
        assert few.encode(document("a b")).input_ids[-1] == ends[1]

    def test_template_and_image_slot_are_those_given(self, few, small_tokenizer):
        assert (few.template, few.image_slot) == ("qwen3", "<|image_pad|>")
        tokenizer = Tokenizer.from_str(json.dumps(small_tokenizer))
        other = SampleEncoder(tokenizer, template="chatml", image_slot="<think>")
        assert (other.template, other.image_slot) == ("chatml", "<think>")
        assert tokenizer.id_to_token(other.image_slot_id) == other.image_slot
