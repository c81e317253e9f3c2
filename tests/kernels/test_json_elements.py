import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packkit_kernels.json_elements import ElementScanner

TEXTS = st.text(st.sampled_from('[]{},:"\\ \n\té片\0a'), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXTS, values, max_size=3),
    max_leaves=10,
)
SPACE = st.text(st.sampled_from(" \t\r\n"), max_size=3)


@st.composite
def spelled(draw, value):
    """JSON text of a value: escaped or not, indented or not."""
    return json.dumps(
        value, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 0, 2]))
    ).encode()


@st.composite
def arrays(draw, start=0):
    """An array's text and, found while it is put together, where its elements stand."""
    text = b"["
    ranges = []
    for number, value in enumerate(draw(st.lists(JSON, max_size=5))):
        text += b"," * (number > 0) + draw(SPACE).encode()
        element = draw(spelled(value))
        ranges.append([start + len(text), start + len(text) + len(element)])
        text += element + draw(SPACE).encode()
    return text + draw(SPACE).encode() + b"]", ranges


@st.composite
def objects_of_arrays(draw):
    """An object's text, and where the elements of those of its values that are arrays stand."""
    text = b"{"
    ranges = []
    for number, key in enumerate(draw(st.lists(TEXTS, max_size=4))):
        text += b"," * (number > 0) + json.dumps(key).encode() + b":" + draw(SPACE).encode()
        value = draw(JSON.filter(lambda value: not isinstance(value, list)) | st.just([]))
        if value == []:
            array, closed_ranges = draw(arrays(len(text)))
            text += array
            ranges += closed_ranges
        else:
            text += draw(spelled(value))
    return text + b"}", ranges


def feed(scanner, text, cuts):
    """Everything that the scanner finds when the text comes in pieces."""
    ranges_found = []
    for start, stop in zip([0, *sorted(cuts)], [*sorted(cuts), len(text)], strict=True):
        ranges_found += scanner.feed(text[start:stop]).tolist()
    return ranges_found


@settings(deadline=None)
@given(arrays(), st.data())
def test_elements_of_an_array_however_it_is_cut(array, data):
    text, ranges = array
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
    scanner = ElementScanner(depth=1)
    assert feed(scanner, text, cuts) == ranges
    assert (scanner.nesting, scanner.open_element, scanner.rest) == (0, None, None)
    assert [json.loads(text[start:stop]) for start, stop in ranges] == json.loads(text)


@settings(deadline=None)
@given(objects_of_arrays(), st.data())
def test_elements_of_the_arrays_in_an_object(text_and_ranges, data):
    text, ranges = text_and_ranges
    json.loads(text)
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
    assert feed(ElementScanner(depth=2), text, cuts) == ranges


@settings(deadline=None)
@given(arrays())
def test_byte_by_byte(array):
    text, ranges = array
    assert feed(ElementScanner(depth=1), text, range(len(text))) == ranges


@settings(deadline=None)
@given(arrays(), st.integers(0, 10**12))
def test_base_shifts_the_offsets(array, base):
    text, ranges = array
    shifted = [[start + base, stop + base] for start, stop in ranges]
    assert ElementScanner(depth=1, base=base).feed(text).tolist() == shifted


@settings(deadline=None)
@given(arrays(), st.data())
def test_what_is_cut_off_is_known(array, data):
    text, ranges = array
    cut = data.draw(st.integers(0, len(text) - 1))
    scanner = ElementScanner(depth=1)
    ranges_found = scanner.feed(text[:cut]).tolist()
    # An element is known to have ended once a comma or a bracket follows.
    assert ranges_found == [[start, stop] for start, stop in ranges if is_closed(text, stop, cut)]
    assert scanner.nesting == 0 if cut == 0 else scanner.nesting >= 1
    open_elements = [
        start for start, stop in ranges if start < cut and not is_closed(text, stop, cut)
    ]
    assert scanner.open_element == (open_elements[0] if open_elements else None)


def is_closed(text, stop, cut):
    return text[stop:cut].strip() != b""


@settings(deadline=None)
@given(arrays(), SPACE, st.sampled_from([b"", b"x", b"]", b"}", b"[1]", b'"', b"\xff", b", {}"]))
def test_what_follows_the_array(array, space, rest):
    text, ranges = array
    before = text + space.encode()
    scanner = ElementScanner(depth=1)
    assert scanner.feed(before + rest + b" [2, 3]" * bool(rest)).tolist() == ranges
    assert scanner.nesting == 0
    assert scanner.rest == (len(before) if rest else None)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(1, 3), st.integers(1, 9))
@example(b"]]]][[[", 1, 3)
@example(b"}{", 1, 1)
def test_any_bytes_give_ranges_in_order(text, depth, size):
    scanner = ElementScanner(depth=depth)
    ranges_found = feed(scanner, text, range(size, len(text), size))
    flat = [offset for pair in ranges_found for offset in pair]
    assert flat == sorted(flat)
    assert all(0 <= start < stop <= len(text) for start, stop in ranges_found)
    assert ranges_found == ElementScanner(depth=depth).feed(text).tolist()


@pytest.mark.parametrize("view", [bytes, bytearray, memoryview])
def test_kinds_of_buffers(view):
    assert ElementScanner(depth=1).feed(view(b"[10, 2]")).tolist() == [[1, 3], [5, 6]]


def test_every_element_of_one_byte_fits():
    text = b"[" + b",".join([b"1"] * 1000) + b"]"
    for depth in (1, 2):
        wrapped = text if depth == 1 else b'{"a":' + text + b"}"
        assert len(ElementScanner(depth=depth).feed(wrapped)) == 1000


def test_a_byte_order_mark_is_no_part_of_the_text():
    assert ElementScanner(depth=1).feed(b"\xef\xbb\xbf[7]").tolist() == [[4, 5]]
