"""What a question is about, what it wants, and which lines ask instead of telling."""

import pytest
from chat.domain.question import announces, asks, gives, read_question


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("What did Anna say about the new roof?", "the new roof"),
        ("What did the project manager think of the profit?", "the profit"),
        ("What was decided on the microphone procedures?", "the microphone procedures"),
        ("Summarize the discussion about user requirements.", "user requirements"),
        ("How much is the rent?", "How much is the rent?"),
        ("What did they say?", "What did they say?"),
    ],
)
def test_topic(text: str, topic: str) -> None:
    assert read_question(text).topic == topic


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ("How much does it cost?", "amount"),
        ("What is the price of a seat?", "amount"),
        ("How many chairs do we need?", "count"),
        ("When do we meet?", "time"),
        ("On which day do we meet?", "time"),
        ("How long does it take?", "duration"),
        ("Why did they refuse?", "discussion"),
        ("What did the group think about the price of the roof?", "discussion"),
        ("What's the conclusion of the debate about the budget?", "discussion"),
        ("Please summarise what was said on the loan.", "discussion"),
        ("Can you summarize it?", "discussion"),
        ("What is the price of the presentations?", "amount"),
        ("When did they discuss the loan?", "time"),
        ("How much did they talk about?", "amount"),
        ("Which price did they discuss?", "fact"),
        ("What did they decide about the roof?", "account"),
        ("What did Anna say about the roof?", "account"),
        ("Who lives on a farm?", "fact"),
    ],
)
def test_wants(text: str, wants: str) -> None:
    assert read_question(text).wants == wants


def test_names_are_words_written_as_names() -> None:
    question = read_question("What did Anna tell the BBC about her trip to Norway?")
    assert question.names == {"anna", "norway"}
    assert question.terms == ("bbc", "about", "trip", "norway") or "norway" in question.terms


@pytest.mark.parametrize(
    "line",
    [
        "what is the interest rate",
        "robert what did you hear from the bank",
        "how much would that cost us",
        "can they stay at the university",
        "and what about the people who cannot come",
        "Shall we begin?",
    ],
)
def test_lines_that_ask(line: str) -> None:
    assert asks(line)


@pytest.mark.parametrize(
    "line",
    [
        "that is our first decision",
        "i know what it costs",
        "we will see who comes",
        "the builders told me that the kitchen is late",
        "if there is rain the children can play inside",
    ],
)
def test_lines_that_tell(line: str) -> None:
    assert not asks(line)


def test_lines_about_the_conversation_itself() -> None:
    assert announces("now the third question which is about parking")
    assert not announces("the parking costs too much")


@pytest.mark.parametrize(
    ("wants", "line", "given"),
    [
        ("amount", "the bank lends us two hundred thousand dollars", True),
        ("amount", "it is $4,000 a month", True),
        ("amount", "the bank lends us money", False),
        ("count", "forty people is a large number", True),
        ("count", "many people came", False),
        ("time", "we move on the fifteenth of september", True),
        ("time", "at 10:30", True),
        ("time", "we move soon", False),
        ("duration", "we have five years to pay", True),
        ("duration", "twice a week", True),
        ("duration", "five dollars", False),
        ("fact", "anything", False),
    ],
)
def test_gives(wants: str, line: str, given: bool) -> None:
    assert gives(wants, line) is given  # type: ignore[arg-type]
