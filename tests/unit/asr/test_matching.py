"""Which profile a voice is like, and when nobody need be asked."""

from uuid import UUID

import numpy as np
from asr.domain.matching import BUILTIN, Known, Match, Rules, match_voices
from asr.domain.voices import Voiceprint
from hypothesis import given
from hypothesis import strategies as st

ONE, OTHER, THIRD, FOURTH = (UUID(int=n) for n in range(1, 5))


def voice(likeness: float, of: int = 0, away: int = 7) -> tuple[float, ...]:
    vector = likeness * np.eye(8)[of] + np.sqrt(1 - likeness**2) * np.eye(8)[away]
    return tuple(vector.tolist())


def spoken(name: str, vector: tuple[float, ...], seconds: float = 60.0, model: str = "m") -> Voiceprint:
    return Voiceprint(name, model, vector, seconds)


def known(
    profile: UUID, *vectors: tuple[float, ...], owner: bool = False, alone: bool = True, model: str = "m"
) -> Known:
    return Known(profile, owner, alone, [spoken("", vector, model=model) for vector in vectors])


def test_the_likeliest_come_first_and_the_unlike_not_at_all() -> None:
    people = [known(ONE, voice(1.0)), known(OTHER, voice(0.6, away=1)), known(THIRD, voice(1.0, of=3))]
    found = match_voices([spoken("s", voice(0.9, away=1))], people, Rules())
    assert [(match.profile_id, match.confidence) for match in found] == [(ONE, 0.9), (OTHER, 0.889)]


def test_a_profile_sounds_like_the_mean_of_what_it_has() -> None:
    people = [known(ONE, voice(0.8, away=1), voice(0.8, away=2))]
    (match,) = match_voices([spoken("s", voice(1.0))], people, Rules())
    assert match.confidence > 0.8


def test_encoders_are_not_compared() -> None:
    people = [known(ONE, voice(1.0), model="a"), known(OTHER, (1.0, 0.0))]
    assert match_voices([spoken("s", voice(1.0))], people, Rules()) == []
    assert match_voices([], people, Rules()) == []
    assert match_voices([spoken("s", voice(1.0))], [], Rules()) == []


def test_thresholds_of_owner_and_guests() -> None:
    for likeness, owner, sure in ((0.63, True, True), (0.61, True, False), (0.83, False, True), (0.81, False, False)):
        found = match_voices([spoken("s", voice(likeness))], [known(ONE, voice(1.0), owner=owner)], Rules())
        assert found == [Match("s", ONE, likeness, sure)]


def test_when_nobody_is_sure() -> None:
    certain, person = spoken("s", voice(0.95)), known(ONE, voice(1.0))
    assert match_voices([certain], [person], Rules())[0].sure
    near = known(OTHER, voice(0.99, away=1))
    cases = [
        match_voices([certain], [person], Rules(automatic=False)),
        match_voices([certain], [known(ONE, voice(1.0), alone=False)], Rules()),
        match_voices([certain], [person, near], Rules()),
        match_voices([spoken("s", voice(0.95), seconds=2.0)], [person], Rules()),
        match_voices([certain], [person], Rules(), frozenset({ONE})),
        match_voices([spoken("s", voice(1.0), model=BUILTIN)], [known(ONE, voice(1.0), model=BUILTIN)], Rules(guest=0)),
    ]
    for found in cases:
        assert found
        assert not any(match.sure for match in found)


def test_the_builtin_encoder_needs_more_to_suggest() -> None:
    for likeness, count in ((0.74, 0), (0.76, 1)):
        own = [spoken("s", voice(likeness), model=BUILTIN)]
        assert len(match_voices(own, [known(ONE, voice(1.0), model=BUILTIN)], Rules())) == count


def test_a_profile_is_one_speaker_of_a_recording() -> None:
    own = [spoken("a", voice(0.9)), spoken("b", voice(0.95, away=6))]
    found = match_voices(own, [known(ONE, voice(1.0))], Rules())
    assert {match.speaker_id: match.sure for match in found} == {"a": False, "b": True}


def test_at_most_three_for_a_speaker() -> None:
    people = [known(UUID(int=n), voice(0.9 + n / 100)) for n in range(5)]
    assert [m.profile_id.int for m in match_voices([spoken("s", voice(1.0))], people, Rules())] == [4, 3, 2]


vectors = st.lists(st.floats(-1, 1), min_size=4, max_size=4).map(tuple)


@given(st.lists(vectors, max_size=4), st.lists(st.lists(vectors, min_size=1, max_size=3), max_size=4))
def test_whatever_the_voices_nobody_is_named_twice(speakers, people) -> None:
    own = [spoken(f"s{n}", vector) for n, vector in enumerate(speakers)]
    found = match_voices(own, [known(UUID(int=n), *each) for n, each in enumerate(people)], Rules(least=0.1))
    assert all(0.1 <= match.confidence <= 1 for match in found)
    sure = [match for match in found if match.sure]
    assert len({match.speaker_id for match in sure}) == len(sure) == len({match.profile_id for match in sure})
    assert all(match.confidence >= 0.82 for match in sure)
