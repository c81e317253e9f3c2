"""An encoder's settings, how it is saved and loaded, and how ids become text again."""

import json
import unicodedata

import pytest
from encoding_samples import arrays_of, chat, document, trained
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from packkit.base.errors import FingerprintError, FormatError, InputError
from packkit.encoding import SampleEncoder
from packkit.encoding import encoder as encoder_module


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
