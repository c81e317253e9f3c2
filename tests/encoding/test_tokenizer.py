import copy
import json

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from packkit.base.errors import InputError
from packkit.encoding.tokenizer import _DEFAULTS, TextTokenizer


def text_tokenizer(spec):
    return TextTokenizer(json.dumps(spec).encode(), "small.json")


def ids_of(tokenizer, text):
    return tokenizer.encode_batch([text])[0].ids


@pytest.fixture(scope="module")
def qwen3(qwen3_folder):
    return TextTokenizer.read(qwen3_folder)


@pytest.fixture(scope="module")
def whole_qwen3(qwen3_folder):
    return Tokenizer.from_file(str(qwen3_folder / "tokenizer.json"))


class TestText:
    @given(text=st.text(max_size=60))
    def test_plain_text_has_the_ids_of_the_whole_tokenizer(self, text, qwen3, whole_qwen3):
        assume(not any(token in text for token in qwen3.added_tokens))
        assert ids_of(qwen3, text) == whole_qwen3.encode(text).ids

    def test_no_added_token_comes_out_of_text(self, qwen3, whole_qwen3):
        for token, number in qwen3.added_tokens.items():
            assert whole_qwen3.encode(token).ids == [number]
            for text in (token, f"a{token}b", f" {token}\n", token * 3):
                ids = ids_of(qwen3, text)
                assert not set(ids) & set(qwen3.added_tokens.values())
                assert whole_qwen3.decode(ids) == text

    def test_control_text_holds_control_tokens(self, qwen3, whole_qwen3):
        text = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
        assert list(qwen3.encode_control(text)) == whole_qwen3.encode(text).ids

    def test_truncation_padding_and_post_processor_of_the_file_have_no_effect(
        self, small_tokenizer
    ):
        expected = ids_of(text_tokenizer(small_tokenizer), "in the theatre")
        whole = Tokenizer.from_str(json.dumps(small_tokenizer))
        whole.enable_truncation(2)
        whole.enable_padding(length=99)
        spec = json.loads(whole.to_str())
        bos = {"id": "<think>", "ids": [300], "tokens": ["<think>"]}
        spec["post_processor"] = {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<think>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}],
            "special_tokens": {"<think>": bos},
        }
        assert ids_of(text_tokenizer(spec), "in the theatre") == expected


class TestRead:
    def test_file_folder_and_object_are_one(self, small_tokenizer, tmp_path):
        path = tmp_path / "tokenizer.json"
        path.write_text(json.dumps(small_tokenizer))
        sources = (path, str(path), tmp_path, Tokenizer.from_file(str(path)))
        assert len({str(TextTokenizer.read(source).behaviour) for source in sources}) == 1

    def test_file_that_looks_like_a_hub_id_is_a_file(self, small_tokenizer, tmp_path, monkeypatch):
        (tmp_path / "Qwen").mkdir()
        (tmp_path / "Qwen" / "Qwen3").write_text(json.dumps(small_tokenizer))
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("huggingface_hub.hf_hub_download", pytest.fail)
        assert TextTokenizer.read("Qwen/Qwen3").place == "Qwen/Qwen3"

    def test_keeps_the_bytes_of_the_file(self, small_tokenizer, tmp_path):
        path = tmp_path / "tokenizer.json"
        path.write_text(json.dumps(small_tokenizer, indent=7))
        assert TextTokenizer.read(path).data == path.read_bytes()

    def test_hub_id_fetches_tokenizer_json_alone(self, small_tokenizer, tmp_path, monkeypatch):
        path = tmp_path / "fetched"
        path.write_text(json.dumps(small_tokenizer))
        asked = []

        def fetch(*args):
            asked.append(args)
            return str(path)

        monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
        assert TextTokenizer.read("Qwen/Qwen3-1.7B").place == str(path)
        assert asked == [("Qwen/Qwen3-1.7B", "tokenizer.json")]

    def test_unreachable_hub_says_how_to_name_a_local_file(self, monkeypatch):
        def fetch(*args):
            raise LocalEntryNotFoundError("offline")

        monkeypatch.setattr("huggingface_hub.hf_hub_download", fetch)
        with pytest.raises(InputError, match=r"Qwen/Qwen3-1\.7B: .*name a local tokenizer\.json"):
            TextTokenizer.read("Qwen/Qwen3-1.7B")

    @pytest.mark.parametrize("name", ["no-such.json", "a/b/tokenizer", "../x", "/nowhere/at/all"])
    def test_missing_path_never_asks_the_hub(self, name, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("huggingface_hub.hf_hub_download", pytest.fail)
        with pytest.raises(InputError, match="cannot read the tokenizer: No such file"):
            TextTokenizer.read(name)

    @pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"model": {}}', b"\xff"])
    def test_what_is_no_tokenizer_is_named(self, data, tmp_path):
        path = tmp_path / "tokenizer.json"
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"tokenizer\.json: not a tokenizer\.json"):
            TextTokenizer.read(path)

    def test_dropout_is_refused(self, small_tokenizer):
        small_tokenizer["model"]["dropout"] = 0.1
        with pytest.raises(InputError, match=r"dropout must be off, got 0\.1"):
            text_tokenizer(small_tokenizer)


class TestControlTokens:
    def test_missing_token_is_named_with_who_needs_it(self, small_tokenizer):
        with pytest.raises(InputError, match=r"small\.json: .*'<x>', which template y needs"):
            text_tokenizer(small_tokenizer).check_control_tokens(["<x>"], "template y")

    def test_token_that_text_can_become_is_refused(self, small_tokenizer):
        model = small_tokenizer["model"]
        number = len(model["vocab"]) + 1
        assert small_tokenizer["added_tokens"][1]["content"] == "<|im_start|>"
        model |= {"ignore_merges": True, "vocab": {**model["vocab"], "<|im_start|>": number}}
        # Without a regex the whole text is one word, which ignore_merges then looks up.
        small_tokenizer["pre_tokenizer"]["use_regex"] = False
        with pytest.raises(InputError, match=r"text that spells '<\|im_start\|>' becomes"):
            text_tokenizer(small_tokenizer).check_control_tokens(["<|im_start|>"], "a test")


def same_spec(spec):
    return spec


def saved_again(spec):
    return json.loads(Tokenizer.from_str(json.dumps(spec)).to_str())


def keys_reversed(spec):
    return {
        key: keys_reversed(value) if isinstance(value, dict) else value
        for key, value in reversed(spec.items())
    }


def old_merges(spec):
    spec["model"]["merges"] = [" ".join(pair) for pair in spec["model"]["merges"]]
    return spec


def no_model_type(spec):
    del spec["model"]["type"]
    return spec


def other_order_of_added_tokens(spec):
    spec["added_tokens"].reverse()
    return spec


def other_special_flags(spec):
    for token in spec["added_tokens"]:
        token["special"] = False
    return spec


def other_decoder_and_post_processor(spec):
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return {**spec, "decoder": byte_level, "post_processor": byte_level}


def other_offsets(spec):
    spec["pre_tokenizer"]["trim_offsets"] = False
    return spec


def empty_affixes(spec):
    spec["model"] |= {"continuing_subword_prefix": "", "end_of_word_suffix": "", "dropout": 0.0}
    return spec


def other_vocabulary_entry(spec):
    vocab = spec["model"]["vocab"]
    vocab["!"], vocab["the"] = vocab["the"], vocab["!"]
    return spec


def merge_removed(spec):
    spec["model"]["merges"].pop()
    return spec


def merges_swapped(spec):
    merges = spec["model"]["merges"]
    merges[0], merges[2] = merges[2], merges[0]
    return spec


def merges_ignored(spec):
    spec["model"]["ignore_merges"] = True
    return spec


def regex_off(spec):
    spec["pre_tokenizer"]["use_regex"] = False
    return spec


def prefix_space(spec):
    spec["pre_tokenizer"]["add_prefix_space"] = True
    return spec


def normalizer_removed(spec):
    return {**spec, "normalizer": None}


def token_added(spec):
    last = spec["added_tokens"][-1]
    spec["added_tokens"].append({**last, "id": last["id"] + 1, "content": "<box>"})
    return spec


def token_flag(spec):
    spec["added_tokens"][0]["lstrip"] = True
    return spec


class TestBehaviour:
    @pytest.mark.parametrize(
        "change",
        [
            *(same_spec, saved_again, keys_reversed, old_merges, no_model_type),
            *(other_order_of_added_tokens, other_special_flags, other_offsets, empty_affixes),
            other_decoder_and_post_processor,
        ],
    )
    def test_survives_what_cannot_change_an_id(self, change, small_tokenizer):
        before = text_tokenizer(small_tokenizer)
        after = text_tokenizer(change(copy.deepcopy(small_tokenizer)))
        assert after.behaviour == before.behaviour
        text = "In the theatre, \n\n it's the THING 肺部."
        assert ids_of(after, text) == ids_of(before, text)

    @pytest.mark.parametrize(
        ("change", "part"),
        [
            (other_vocabulary_entry, "tokenizer_model"),
            (merge_removed, "tokenizer_model"),
            (merges_swapped, "tokenizer_model"),
            (merges_ignored, "tokenizer_model"),
            (regex_off, "tokenizer_pre_tokenizer"),
            (prefix_space, "tokenizer_pre_tokenizer"),
            (normalizer_removed, "tokenizer_normalizer"),
            (token_added, "tokenizer_added_tokens"),
            (token_flag, "tokenizer_added_tokens"),
        ],
    )
    def test_changes_with_what_can_change_an_id(self, change, part, small_tokenizer):
        before = text_tokenizer(small_tokenizer).behaviour
        after = text_tokenizer(change(copy.deepcopy(small_tokenizer))).behaviour
        assert [name for name in before if after[name] != before[name]] == [part]

    def test_qwen3_survives_save_pretrained(self, qwen3, qwen3_in_transformers, tmp_path):
        qwen3_in_transformers.save_pretrained(tmp_path)
        saved = TextTokenizer.read(tmp_path)
        assert saved.data != qwen3.data
        assert saved.behaviour == qwen3.behaviour

    @pytest.mark.parametrize("kind", sorted(_DEFAULTS))
    def test_defaults_are_those_of_tokenizers(self, kind, small_tokenizer):
        """A field left out comes back, from the library itself, as one of the values listed."""
        if kind == "BPE":
            saved = saved_again(small_tokenizer)["model"]
        else:
            required = {"ByteLevel": ("add_prefix_space", "trim_offsets"), "Metaspace": ()}[kind]
            small_tokenizer["pre_tokenizer"] = {
                "type": kind,
                "replacement": "_",
                **dict.fromkeys(required, True),
            }
            saved = saved_again(small_tokenizer)["pre_tokenizer"]
        for field, values in _DEFAULTS[kind].items():
            assert saved[field] in values
