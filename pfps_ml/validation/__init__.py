"""External validation: what a released bundle is worth on runners whom nobody knew when it was trained."""
