"""What is not used is not imported: the SDK of the agents' protocol costs half a second and tens of megabytes."""

import subprocess
import sys


def test_the_gateway_starts_without_the_protocol_of_agents() -> None:
    asked = "import sys, gateway.main; print(*sorted({'mcp', 'mcp_types', 'httpx2', 'jsonschema'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
