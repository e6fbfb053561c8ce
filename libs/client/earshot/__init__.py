"""The Earshot client: recordings in, cited answers out."""

from earshot.client import Client
from earshot.errors import EarshotError

__all__ = ["Client", "EarshotError"]
