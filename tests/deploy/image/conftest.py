"""The image, built once for a run."""

import os
import shutil
from collections.abc import Iterator

import pytest

from ops.local.downloads.complete import FetchError
from ops.local.servers.paths import cache_folder
from ops.reference import ROOT
from tests.deploy.image.base import shared, write_base
from tests.deploy.image.buildah import Build, build, buildah
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
    volumes = (f"--volume={name}:{name}:ro" for name in shared())
    given = (f"--build-arg={name}={value}" for name, value in ARGUMENTS.items())
    base, root = folder / "base", folder / "root"
    try:
        config = build(
            program,
            folder,
            cache_folder() / "image-caches",
            Build(BASE, write_base(base), base),
            Build(BUILT, DOCKERFILE, ROOT, (f"--output={root}", *volumes, *given)),
        )
        root.chmod(0o755)  # buildah makes it, and leaves out what an image has of its top folder
        yield Image(root, config)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a quarter of a gigabyte
