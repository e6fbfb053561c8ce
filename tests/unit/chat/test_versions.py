"""If-Match: which version an edit is meant for."""

import pytest
from chat.versions import check_version, expected_version
from common.errors import ApiError


@pytest.mark.parametrize(("sent", "version"), [(None, None), ("*", None), ('"3"', 3), ('W/"3"', 3), (" 3 ", 3)])
def test_a_version_is_read(sent: str | None, version: int | None) -> None:
    assert expected_version(sent) == version


def test_what_is_no_version_or_not_the_newest_is_refused() -> None:
    with pytest.raises(ApiError) as refused:
        expected_version('"abc"')
    assert refused.value.status_code == 422
    check_version(None, 3)
    check_version(3, 3)
    with pytest.raises(ApiError) as late:
        check_version(2, 3)
    assert (late.value.status_code, late.value.error_type) == (412, "precondition_failed")
