"""Waiting for what another process or thread does: for the event itself, within a limit that no load reaches."""

import time

LIMIT = 300  # seconds; a machine on which this is too little is broken, not busy


def until(happened, what="it"):
    """Ask until something has happened; fail where it does not happen at all."""
    end = time.monotonic() + LIMIT
    while not happened():
        assert time.monotonic() < end, f"{what} did not happen within {LIMIT} seconds"
        time.sleep(0.02)


def patient(browser):
    """Return a browser whose pages wait as long as we do, and not for playwright's 30 seconds."""
    plain = browser.new_context

    def new_context(**settings):
        context = plain(**settings)
        context.set_default_timeout(1000 * LIMIT)
        return context

    browser.new_context = new_context
    return browser
