"""The one exception that the client raises."""


class EarshotError(Exception):
    """Something that was asked for did not happen.

    `detail` says what, `advice` what to do about it. `status_code` is the HTTP status, or None when no answer came;
    `request_id` finds the request in the server's log.
    """

    def __init__(
        self,
        detail: str,
        *,
        advice: str | None = None,
        status_code: int | None = None,
        error_type: str = "error",
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.advice = advice
        self.status_code = status_code
        self.error_type = error_type
        self.request_id = request_id
        self.retry_after_seconds = retry_after_seconds

    @property
    def transient(self) -> bool:
        """Whether asking the same again a little later may work."""
        return self.error_type == "unreachable" or self.status_code in (429, 502, 503, 504)
