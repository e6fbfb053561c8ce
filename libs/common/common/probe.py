"""Asks the service of this container for its health: `python -m common.probe PORT [live|ready]`, exit code 1 if ill."""

import http.client
import sys

_PATIENCE_SECONDS = 4.0


def healthy(port: int, what: str = "live") -> bool:
    """``live``: the process answers; ``ready``: work may be sent to it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", f"/health/{what}")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def main(words: list[str]) -> int:
    match words:
        case [port] if port.isdigit():
            return 0 if healthy(int(port)) else 1
        case [port, "live" | "ready" as what] if port.isdigit():
            return 0 if healthy(int(port), what) else 1
        case _:
            sys.stderr.write("usage: python -m common.probe PORT [live|ready]\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
