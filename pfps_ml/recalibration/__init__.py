"""Updating a released bundle with the outcomes of a cohort: as far as they can bear, and no further."""
