"""Makes .venv from requirements.lock; `make setup` runs this with the standard library alone.

The lock is installed, never resolved, so no later release of any package can change or break a set-up. uv does it in
seconds; where uv cannot be had, pip does it. `.venv/.installed`, written last, says that everything is in place.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
LOCK = ROOT / "requirements.lock"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
READY = VENV / ".installed"
PIP = (PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input")

# Of pip's and uv's own settings only those that say where packages come from: constraints, targets, forbidden binaries
# or another resolution would install something else than the lock.
SOURCES = ("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert", "proxy")
SPEED = ("timeout", "retries", "default-timeout", "cache-dir", "no-cache-dir", "disable-pip-version-check")
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST", "cert": "SSL_CERT_FILE", "proxy": "ALL_PROXY",
}  # fmt: skip
# LightGBM's library alone: its Python package would import pandas and scikit-learn, for seconds.
LOAD_LIGHTGBM = (
    "import ctypes, importlib.util, pathlib; "
    "package = pathlib.Path(importlib.util.find_spec('lightgbm').origin).parent; "
    "[ctypes.CDLL(str(library)) for library in package.rglob('lib_lightgbm.*')]"
)
UV_KEPT = re.compile(r"UV_(\w*INDEX\w*|FIND_LINKS|INSECURE_HOST|\w*TLS|SYSTEM_CERTS|CACHE_DIR|\w*TIMEOUT|OFFLINE)")


class SetupError(Exception):
    """A step failed; the message holds everything that its command printed."""


def main() -> int:
    """Set up .venv, with one line of progress; what goes wrong is printed in full, and the exit code is 1."""
    started = time.monotonic()
    print("Setting up .venv from requirements.lock (1.6 GB) ...", end=" ", flush=True)
    try:
        installer = set_up()
    except SetupError as error:
        print(f"failed.\n\n{error}", file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the next `make` starts it again.", file=sys.stderr)
        return 130
    print(f"done with {installer} in {time.monotonic() - started:.0f} s")
    return 0


def set_up() -> str:
    """Make or update .venv, check it, and return the name of what installed it.

    Raises
    ------
    SetupError
        If a step fails; the next `make` starts again with an empty .venv.
    """
    complete = READY.is_file()
    READY.unlink(missing_ok=True)
    if not complete:
        make_venv()
    environment = package_sources()
    installer = install(environment)
    run([PYTHON, "-c", LOAD_LIGHTGBM], environment, "LightGBM needs libgomp1. On Debian: apt-get install libgomp1")
    READY.write_text(stamp() + "\n", encoding="utf-8")
    return installer


def stamp() -> str:
    """Return what .venv is bound to: its folder and its Python. The Makefile compares the two."""
    return f"{ROOT} {run([PYTHON, '--version'], dict(os.environ)).strip()}"


def make_venv() -> None:
    """Make .venv empty, with the pip that this Python brings."""
    hint = "Python's venv is not complete. On Debian: apt-get install python3-venv"
    run([sys.executable, "-m", "venv", "--clear", VENV], dict(os.environ), hint)


def install(environment: dict[str, str]) -> str:
    """Install the lock and the project itself, with uv or else with pip, and check what is there."""
    reasons = []
    try:
        with_pip(uv_alone(LOCK.read_text(encoding="utf-8")), environment, "--only-binary=:all:")
        with_uv(environment)
    except SetupError as error:
        reasons.append(str(error))
    else:
        return "uv"
    print("without uv, one to three minutes ...", end=" ", flush=True)
    try:
        with_pip(without_uv(LOCK.read_text(encoding="utf-8")), environment)
        run([*PIP, "install", "--no-deps", "--no-build-isolation", "-e", ROOT], environment)
        run([*PIP, "check"], environment)
    except SetupError as error:
        first = "The packages of requirements.lock could not be installed. Is the package index reachable?"
        raise SetupError("\n\n".join([first, *reasons, str(error)])) from error
    return "pip"


def with_pip(requirements: str, environment: dict[str, str], *options: str) -> None:
    """Install pinned requirements with pip, which resolves nothing."""
    listed = VENV / "requirements.txt"
    listed.write_text(requirements, encoding="utf-8")
    run([*PIP, "install", "--progress-bar=off", "--no-deps", "--require-hashes", *options, "-r", listed], environment)


def with_uv(environment: dict[str, str]) -> None:
    """Install exactly the lock and the project with uv, and check that every requirement is met."""
    uv = (VENV / "bin" / "uv", "pip")
    python = ("--python", PYTHON)
    run([*uv, "sync", *python, "--require-hashes", "--index-strategy=unsafe-best-match", LOCK], environment)
    run([*uv, "install", *python, "--no-deps", "--no-build-isolation", "-e", ROOT], environment)
    run([*uv, "check", *python], environment)


def uv_alone(lock: str) -> str:
    """Return the lines of the lock that pin uv, with its hashes."""
    return "".join(re.findall(r"(?m)^uv==.*\n(?:[ \t]+--hash=.*\n)+", lock))


def without_uv(lock: str) -> str:
    """Return the lock less uv, which has no wheel on every platform and is needed by nothing else in the lock."""
    return lock.replace(uv_alone(lock), "")


def package_sources() -> dict[str, str]:
    """Return the environment for pip and uv: where packages come from, as pip is configured, and nothing else of it."""
    foreign = re.compile(r"(PIP|UV|PYTHON|VIRTUAL_ENV|CONDA)(_|[A-Z]|$)")
    environment = {k: v for k, v in os.environ.items() if not foreign.match(k) or UV_KEPT.fullmatch(k)}
    for name, value in configured().items():
        environment["PIP_" + name.upper().replace("-", "_")] = value
        if name in UV_NAMES:
            environment.setdefault(UV_NAMES[name], ",".join(value.split()) if name == "find-links" else value)
    environment.setdefault("UV_SYSTEM_CERTS", "true")
    return environment | {"PIP_CONFIG_FILE": os.devnull, "UV_PYTHON_DOWNLOADS": "never"}


def configured() -> dict[str, str]:
    """Return the sources that pip's files and environment name; the environment comes last, and wins."""
    lines = run([*PIP, "config", "list"], dict(os.environ))
    settings = {}
    for place in ("global", "install", ":env:"):
        for name, value in re.findall(rf"(?m)^{place}\.([\w-]+)='(.*)'$", lines):
            if name in SOURCES + SPEED:
                settings[name] = " ".join(value.replace("\\n", " ").split())
    return settings


def run(command: "list[str | Path]", environment: dict[str, str], hint: str = "") -> str:
    """Run a command, and return what it prints; if it fails, everything that it printed is in the error."""
    words = [str(word) for word in command]
    done = subprocess.run(  # noqa: S603  # the set-up's own commands
        words, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise SetupError("\n".join(filter(None, ["$ " + " ".join(words), done.stdout.strip(), hint])))
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
