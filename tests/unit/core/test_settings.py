from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.settings import Settings


@pytest.mark.parametrize("origin", ["https://example.org", "http://localhost:3000", "https://example.org:8443"])
def test_an_origin_is_a_scheme_and_a_host(origin):
    assert Settings(_env_file=None, allowed_origins=origin).allowed_origins == (origin,)


@pytest.mark.parametrize("origin", ["example.org", "*", "https://example.org/", "ftp://example.org", "https://"])
def test_what_no_browser_sends_as_an_origin_is_refused_with_an_example(origin):
    with pytest.raises(ValidationError, match=r"write it like https://example\.org"):
        Settings(_env_file=None, allowed_origins=f"https://fine.example,{origin}")
