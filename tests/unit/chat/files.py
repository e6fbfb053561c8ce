"""The smallest files that are what they say."""

from base64 import b64decode

PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(200))
WEBP = b"RIFF\x1a\x00\x00\x00WEBPVP8L" + bytes(20)
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Pages/Kids[2 0 R 3 0 R]>>endobj\n2 0 obj<</Type /Page>>endobj 3 0 obj<</Type/Page/X 1>>"
)
