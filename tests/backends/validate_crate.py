"""Run rocrate-validator on a crate without a network: FOLDER SEVERITY.

A program of its own, because the validator wants library versions that the project
does not: it may live in another environment. The validator resolves the names of
RO-Crate 1.1 by a document on the web. Its own offline mode takes that from its cache,
which is filled here with the context that ro-crate-py is installed with: that of
RO-Crate 1.3, with the four names that stood for something else in 1.1.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import rocrate
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

URL = "https://w3id.org/ro/crate/1.1/context"
BIOSCHEMAS = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}
PROFILE = "workflow-run-crate-0.5"


class Installed(BaseAdapter):
    """Answers every request with the context that ro-crate-py has."""

    def send(self, request, **options):
        """The document as a response."""
        path = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
        document = json.loads(path.read_text("utf-8"))
        document["@context"] |= BIOSCHEMAS
        answer = HTTPResponse(
            body=io.BytesIO(json.dumps(document).encode()),
            headers={"Content-Type": "application/ld+json"},
            status=200,
            preload_content=False,
            request_url=request.url,
        )
        return HTTPAdapter().build_response(request, answer)

    def close(self):
        """Nothing is open."""


def main(folder: str, severity: str) -> int:
    """Validate; 0 if the crate conforms."""
    with tempfile.TemporaryDirectory() as place:
        cache = Path(place) / "http_cache"
        session = CachedSession(cache_name=str(cache), backend="sqlite")
        session.mount("https://w3id.org", Installed())
        session.get(URL, headers={"Accept": "application/ld+json, application/json"})
        session.close()
        program = Path(sys.executable).with_name("rocrate-validator")
        options = ["--offline", "--cache-path", str(cache), "--skip-availability-check"]
        report = ["--no-paging", "--output-format", "text", "--verbose"]
        wanted = ["--profile-identifier", PROFILE, "--requirement-severity", severity]
        words = ["-y", "--disable-color", "validate", *options, *report, *wanted]
        return subprocess.run([program, *words, folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
