"""The image, built once for a run."""

import os
import shutil
from collections.abc import Iterator

import pytest

from ops.local.downloads.complete import FetchError
from ops.local.servers.paths import cache_folder
from ops.reference import ROOT
from tests.deploy.image.base import shared, write_base
from tests.deploy.image.buildah import Builder, buildah
from tests.deploy.image.container import Image
from tests.deploy.image.dockerfile import DOCKERFILE

BASE = "localhost/base:machine"
BUILT = "localhost/tallymill:built"
ARGUMENTS = {"PYTHON_IMAGE": BASE, "VERSION": "9.8", "REVISION": "abc"}


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """As `make image` builds it, on a base made of this machine.

    Mounts need root. CI fails without that and without buildah, and for a person the tests are skipped with the reason.
    """
    if os.geteuid() and not os.environ.get("CI"):
        pytest.skip("the image is built and started with mounts, which only root may make")
    try:
        program = buildah()
    except FetchError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("image")
    builder = Builder(program, folder, cache_folder() / "image-caches")
    try:
        builder.build(BASE, write_base(folder / "base"), folder / "base")
        volumes = [f"--volume={name}:{name}:ro" for name in shared()]
        given = [f"--build-arg={name}={value}" for name, value in ARGUMENTS.items()]
        builder.build(BUILT, DOCKERFILE, ROOT, f"--output={folder / 'root'}", *volumes, *given)
        (folder / "root").chmod(0o755)  # buildah makes it, and leaves out what an image has of its top folder
        yield Image(folder / "root", builder.config(BUILT))
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # half a gigabyte
