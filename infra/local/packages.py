"""Downloads the packages of engines: jars by Maven, programs of Debian, wheels of Python. Each is downloaded once."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .engine import EngineError, EngineMissing

_POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>minitwitter</groupId><artifactId>{name}</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>{dependencies}</dependencies></project>"""
_JAVA = "openjdk-17-jre-headless"
_DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>"


def cache_directory() -> Path:
    """Return the directory of packages: MINITWITTER_ENGINES_CACHE, or one in the user's cache directory."""
    chosen = os.environ.get("MINITWITTER_ENGINES_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "minitwitter" / "engines"


@contextmanager
def made_once(directory: Path) -> Iterator[Path | None]:
    """Yield a place to build `directory` in; None if it exists. It appears atomically when the block ends.

    If two processes want it at once, one waits for the other.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if directory.exists():
            yield None
            return
        building = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f"{directory.name}."))
        try:
            yield building
            building.chmod(0o755)
            building.rename(directory)
        finally:
            shutil.rmtree(building, ignore_errors=True)


def java(*, at_most: int | None = None) -> str:
    """Return the path of a Java of version 17 or newer. As root on Debian, install 17 if there is none. Raises
    EngineError.
    """
    found = _java(at_most)
    if found is None:
        debian("java", _JAVA)  # does nothing if another version is installed
        found = _java(at_most)
    if found is None:
        wanted = "17" if at_most == 17 else "17 or newer"
        raise EngineMissing(f"Java {wanted} is not installed (Debian: apt-get install {_JAVA})")
    return found


def _java(at_most: int | None) -> str | None:
    candidates = [Path(home) / "bin" / "java" for home in [os.environ.get("JAVA_HOME", "")] if home]
    candidates += [Path(found) for found in [shutil.which("java")] if found]
    candidates += sorted(Path("/usr/lib/jvm").glob("*/bin/java"))
    for candidate in candidates:
        version = _java_version(candidate)
        if version >= 17 and (at_most is None or version <= at_most):
            return str(candidate)
    return None


def _java_version(program: Path) -> int:
    try:
        told = subprocess.run([str(program), "-version"], capture_output=True, text=True, check=True).stderr  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r'version "(\d+)', told)
    return int(found[1]) if found else 0


def jars(cache: Path, name: str, coordinates: Sequence[str]) -> Path:
    """Return a directory with these artefacts (group:artefact:version) and their dependencies. Raises EngineError."""
    version = coordinates[0].rpartition(":")[2]
    place = cache / f"{name}-{version}"
    with made_once(place) as building:
        if building is not None:
            maven = debian("mvn", "maven")
            pom = building / "pom.xml"
            dependencies = "".join(_DEPENDENCY.format(*coordinate.split(":")) for coordinate in coordinates)
            pom.write_text(_POM.format(name=name, dependencies=dependencies))
            goal = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
            options = ["-DincludeScope=runtime", f"-DoutputDirectory={building}"]
            run([maven, "-q", "-B", "-f", str(pom), goal, *options], f"Maven could not fetch {name} {version}")
    return place


def debian(name: str, package: str) -> str:
    """Return the path of a program. As root on Debian, install its package if it is missing. Raises EngineError."""
    found = program(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        cache = cache_directory()
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "apt.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # apt-get fails while another one runs
            if program(name) is None:
                for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", package]):
                    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
                    run(["apt-get", *command], f"{package} could not be installed", environment=quiet)
        found = program(name)
    if found is None:
        raise EngineMissing(f"{name} is not installed (Debian: apt-get install {package})")
    return found


def unpacked(cache: Path, package: str) -> Path:
    """Return a directory with the files of a Debian package that is not installed: no service starts. Raises
    EngineError.
    """
    place = cache / f"{package}-debian"
    with made_once(place) as building:
        if building is not None:
            tools = [shutil.which(name) for name in ("apt-get", "dpkg-deb")]
            if None in tools:
                raise EngineMissing(f"{package} is not installed, and it is fetched on Debian alone")
            fetch = f"cd '{building}' && apt-get download -qq {package}"
            if os.geteuid() == 0:  # a new machine has no package lists yet
                fetch = f"({fetch}) || (apt-get update -qq && {fetch})"
            run(["sh", "-c", fetch], f"{package} could not be fetched (Debian: apt-get install {package})")
            [archive] = building.glob("*.deb")
            run(["dpkg-deb", "-x", str(archive), str(building)], f"{package} could not be unpacked")
    return place


def program(name: str) -> str | None:
    """Return the path of a program if it is installed."""
    places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return shutil.which(name, path=places)


def wheel(cache: Path, requirement: str) -> Path:
    """Return a directory with a Python package in exactly this version (name==version). Raises EngineError."""
    place = cache / requirement.replace("==", "-")
    with made_once(place) as building:
        if building is not None:
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            run([*pip, "--target", str(building), requirement], f"pip could not fetch {requirement}")
    return place


def run(command: Sequence[str], complaint: str, *, environment: dict[str, str] | None = None) -> str:
    """Run a command and return its output. Raises EngineError with the message and the end of the output."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)  # noqa: S603
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-400:]
        raise EngineError(f"{complaint}: {said or f'exit code {done.returncode}'}")
    return done.stdout
