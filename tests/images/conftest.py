"""Both decoders, for tests that hold of either."""

import pytest

from packkit.images.pixels import DECODERS


@pytest.fixture(params=DECODERS)
def name(request):
    return request.param
