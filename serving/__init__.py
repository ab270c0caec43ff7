"""The HTTP API and the clinician's page: an ASGI application, which uvicorn or BentoML starts."""
