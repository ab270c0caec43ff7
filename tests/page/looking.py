"""What tests of the page ask besides the page: the service's own answer, and axe-core."""

import json
from urllib.request import Request, urlopen


def assessed(address, runner):
    body = json.dumps({"runner": runner}).encode()
    with urlopen(Request(f"{address}/assess", body, {"Content-Type": "application/json"})) as answer:
        return json.load(answer)


def violations(page):
    """Return what axe-core finds against the accessibility rules: the rule, and where."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(each["id"], node["html"][:200]) for each in found for node in each["nodes"]]
