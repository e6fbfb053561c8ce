"""Users' keys as they lie in the database: bound to their row, opened by every valid secret, by no other."""

import pytest
from chat.sealing import CannotOpen, Sealer

OLD, NEW = "o" * 32, "n" * 32


def test_what_is_sealed_opens_in_its_place_alone() -> None:
    sealer = Sealer([NEW])
    sealed = sealer.seal("sk-secret", "anna/openai")
    assert b"secret" not in sealed
    assert sealed != sealer.seal("sk-secret", "anna/openai")
    assert sealer.open(sealed, "anna/openai") == ("sk-secret", True)
    for other in (sealed[:-1] + bytes([sealed[-1] ^ 1]), sealed[:20]):
        with pytest.raises(CannotOpen):
            sealer.open(other, "anna/openai")
    with pytest.raises(CannotOpen):
        sealer.open(sealed, "ben/openai")


def test_a_secret_can_be_exchanged() -> None:
    sealed = Sealer([OLD]).seal("sk-secret", "anna/openai")
    both = Sealer([NEW, OLD])
    assert both.open(sealed, "anna/openai") == ("sk-secret", False)
    assert Sealer([NEW]).open(both.seal("sk-secret", "anna/openai"), "anna/openai") == ("sk-secret", True)
    with pytest.raises(CannotOpen):
        Sealer([NEW]).open(sealed, "anna/openai")


def test_without_a_secret_nothing_is_sealed() -> None:
    assert not Sealer([]).ready
