"""A collection's terms stand behind a recording's own, and its prompt behind the recording's."""

import pytest
from common.events import RecordingOptions
from gateway.domain.vocabulary import MOST_TERMS, Vocabulary

COLLECTION_S = Vocabulary(["Kubernetes", "Anna Müller"], "Good morning, everybody.")


@pytest.mark.parametrize(
    ("own", "together"),
    [
        ([], ["Kubernetes", "Anna Müller"]),
        (["Peter", "kubernetes"], ["Peter", "kubernetes", "Anna Müller"]),
        ([f"term {n}" for n in range(MOST_TERMS)], [f"term {n}" for n in range(MOST_TERMS)]),
    ],
)
def test_a_recordings_own_terms_come_first_and_none_twice(own: list[str], together: list[str]) -> None:
    options = COLLECTION_S.added_to(RecordingOptions(key_terms=own, language="de"))
    assert (options.key_terms, options.language) == (together, "de")
    assert RecordingOptions.model_validate_json(options.model_dump_json()) == options


def test_a_recordings_own_prompt_takes_the_place_of_the_collections() -> None:
    assert COLLECTION_S.added_to(RecordingOptions()).initial_prompt == "Good morning, everybody."
    assert COLLECTION_S.added_to(RecordingOptions(initial_prompt="Hi.")).initial_prompt == "Hi."
    assert Vocabulary().added_to(RecordingOptions()) == RecordingOptions()
