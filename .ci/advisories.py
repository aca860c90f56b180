"""Says which vulnerabilities are known of the packages that pip-audit has looked at, for `.ci/audit`.

    python .ci/advisories.py REPORT REQUIREMENTS

Takes the report of pip-audit in JSON, and the file with the versions. What PyPI says of each version not every mirror
has. Of those that are missing, it is asked for the page of the project, whose advisories are those of its latest
version. Exit status 0: none are known; 1: some are; 2: of some package nothing could be learnt.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import requests

PROJECT = "https://pypi.org/pypi/{}/json"


def of_latest(name: str, version: str) -> list[dict[str, Any]] | None:
    """The advisories of a version if it is the latest of its project; None if it is not, or not known."""
    response = requests.get(PROJECT.format(name), timeout=30)
    if response.status_code != 200:
        return None
    page = response.json()
    if page["info"]["version"] != version or "vulnerabilities" not in page:
        return None
    return [each for each in page["vulnerabilities"] if not each.get("withdrawn")]


def main(report: Path, requirements: Path) -> int:
    versions = dict(line.split("==") for line in requirements.read_text(encoding="utf-8").splitlines())
    dependencies = json.loads(report.read_text(encoding="utf-8"))["dependencies"]
    if {each["name"] for each in dependencies} != versions.keys():
        print("pip-audit has not looked at the packages that it was given")
        return 2
    vulnerable, unknown = [], []
    for each in dependencies:
        name = each["name"]
        found = of_latest(name, versions[name]) if "skip_reason" in each else each["vulns"]
        if found is None:
            unknown.append(f"{name} {versions[name]}")
        elif found:
            vulnerable.append(f"{name} {versions[name]}: {', '.join(advisory['id'] for advisory in found)}")
    for line in vulnerable:
        print(line)
    print(f"{len(versions)} packages: {len(vulnerable)} with known vulnerabilities, {len(unknown)} not known")
    if unknown:
        print("not known:", ", ".join(unknown))
    return 1 if vulnerable else 2 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
