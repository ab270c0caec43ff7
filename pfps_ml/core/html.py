"""HTML from templates: every text is escaped, and a page cannot be made without the notice.

A page is one file: style, pictures and tables are in it, it runs no script, and the browser is told to load nothing
from anywhere. Rooms keep their templates in a folder `templates` and share `page.html` and `parts.html` of this room.
"""

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


@cache
def templates_of(package: str) -> Environment:
    """Return the templates of a package and those that all rooms share.

    A name that a template reads and nobody gives is an error. Every value is escaped, whatever the template's file is
    called; only what a template or `markupsafe.Markup` made is not.

    Parameters
    ----------
    package
        Such as `pfps_ml.squad`; its folder `templates` is read.
    """
    loaders = [PackageLoader(package), PackageLoader("pfps_ml.core")]
    return Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


__all__ = ["templates_of"]
