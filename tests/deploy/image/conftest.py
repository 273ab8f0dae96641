"""The image, built once for a run."""

import os

import pytest

from ops.local.servers.paths import cache_folder
from tests.deploy.image.build import Builder, NotAllowed
from tests.deploy.image.container import Image
from tests.deploy.image.dockerfile import DOCKERFILE, stages


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Its root file system, by the steps of the Dockerfile.

    It needs mount namespaces, which root has. CI fails without them, and for a person without rights the tests are
    skipped with the reason.
    """
    found = stages(DOCKERFILE.read_text())
    cache = cache_folder()
    caches = {"/cache/pip": cache / "image-pip", "/cache/uv": cache / "image-uv"}
    builder = Builder(tmp_path_factory.mktemp("image"), caches, cache / "image-layers")
    try:
        return Image(builder.build(found), found[-1])
    except NotAllowed as error:
        if os.geteuid() and not os.environ.get("CI"):
            pytest.skip(f"{error}. As root, or with newuidmap, it is")
        raise
