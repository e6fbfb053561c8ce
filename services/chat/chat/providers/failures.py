"""What people are told when a provider of models does not do its part."""

from chat.providers.model import Failed

_ASK_AGAIN = "Ask again in a moment."
_ADMINISTRATOR = "Ask the administrator to check the key, the model and the address of the provider (CHAT_… settings)."
_LONGEST = 300


def refused(status_code: int, message: str) -> Failed:
    """The provider answered with an error; inside a stream it does so under status 200."""
    said = " ".join(message.split())[:_LONGEST]
    if status_code in (400, 401, 403, 404, 422):
        return Failed("provider_refused", f"The model's provider refused the request: {said}", _ADMINISTRATOR)
    if status_code in (408, 429, 503, 529):
        return busy(said)
    return reported(said)


def busy(message: str) -> Failed:
    said = " ".join(message.split())[:_LONGEST]
    return Failed("provider_busy", f"The model's provider is busy: {said}", _ASK_AGAIN)


def reported(message: str) -> Failed:
    said = " ".join(message.split())[:_LONGEST]
    return Failed("provider_error", f"The model's provider reports an error: {said}", _ASK_AGAIN)


def too_slow() -> Failed:
    return Failed("provider_timeout", "The model's provider did not answer in time.", _ASK_AGAIN)


def broken(detail: str) -> Failed:
    """No connection, or one that was cut before the answer's end."""
    return Failed("provider_unreachable", f"The connection to the model's provider broke ({detail[:120]}).", _ASK_AGAIN)


def too_long() -> Failed:
    """The question, what came with it and one passage are more than the model reads at a time."""
    return Failed(
        "question_too_long",
        "The question, with its attachments, is too long for what this model reads at a time.",
        "Ask more briefly, attach less, or ask another model: GET /api/models tells their windows (context_tokens).",
    )


def own_key_refused(failed: Failed, title: str, provider: str) -> Failed:
    """The same, told to whoever gave the key."""
    advice = (
        f"The request was made with your own key for {title}: give another one (PUT /api/models/keys/{provider}), or "
        "remove it (DELETE)."
    )
    return Failed(failed.error_type, failed.message, advice, failed.in_stream)
