"""Links of Markdown pages that lead nowhere."""

import re
from urllib.parse import urlsplit

LINK = re.compile(r"\[[^\]]*\]\(<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\)")


def anchors(page):
    text = page.read_text(encoding="utf-8")
    heads = re.findall(r"(?m)^#+ (.+)$", text)
    plain = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
    return plain | set(re.findall(r'<a id="([^"]+)"', text))


def dead_links(page):
    text = re.sub(r"(?s)```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    dead = []
    for target in LINK.findall(text):
        parts = urlsplit(target)
        if parts.scheme:  # no network here: only whether it can be an address
            good = parts.scheme in ("https", "mailto") and (parts.scheme == "mailto" or "." in parts.netloc)
        else:
            found = page.parent / parts.path if parts.path else page
            good = found.exists() and (not parts.fragment or parts.fragment in anchors(found))
        dead += [] if good else [target]
    return dead
