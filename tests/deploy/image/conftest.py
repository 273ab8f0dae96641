"""The image, built once for a run."""

from pathlib import Path

import pytest

from ops.local.servers.paths import cache_folder
from tests.deploy.image.build import Builder
from tests.deploy.image.container import Image
from tests.deploy.image.dockerfile import DOCKERFILE, stages


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Its root file system, by the steps of the Dockerfile."""
    found = stages(DOCKERFILE.read_text())
    cache = cache_folder()
    caches = {"/cache/pip": cache / "image-pip", "/cache/uv": Path.home() / ".cache" / "uv"}
    builder = Builder(tmp_path_factory.mktemp("image"), caches, cache / "image-layers")
    return Image(builder.build(found), found[-1])
