"""pyCyto's call style with a real container behind `execution_config`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backends import engines
from container_fixtures import record_calls
from cyto_kedro import api
from cyto_kedro.core.errors import ConfigError

pytestmark = pytest.mark.containers


@pytest.fixture
def with_python(
    podman: Path, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let the site's Podman show Python in every container, as its image has none."""
    volumes = ", ".join(
        f'"{bind if ":" in bind else f"{bind}:{bind}"}"'
        for bind in engines.python_binds()
    )
    source = Path(api.__file__).parents[2]
    env = engines.python_env() | {"PYTHONPATH": str(source)}
    pairs = ", ".join(f'"{name}={value}"' for name, value in env.items())
    known = (place / "containers.conf").read_text()
    more = f"[containers]\nvolumes = [{volumes}]\nenv = [{pairs}]"
    config = tmp_path / "containers.conf"
    config.write_text(known.replace("[containers]", more))
    monkeypatch.setenv("CONTAINERS_CONF", str(config))


@pytest.mark.usefixtures("with_python")
def test_a_module_gives_the_same_inside_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = record_calls(tmp_path / "recorded", monkeypatch, "docker")
    config = {"type": "container", "runner": "docker", "image": engines.IMAGE}
    image = np.random.default_rng(0).integers(0, 900, (2, 32, 32)).astype(np.uint16)
    boxed = api.GammaCorrection(gamma=0.5, execution_config=config)({"image": image})
    plain = api.GammaCorrection(gamma=0.5)({"image": image})
    assert np.array_equal(boxed["image"], plain["image"])
    assert not calls.exists()  # no worker of a run: the module itself


def test_an_image_that_is_not_there_is_named(podman: Path) -> None:
    config = {"type": "container", "runner": "docker", "image": "nobody/built-it:1"}
    with pytest.raises(ConfigError, match="nobody/built-it:1"):
        api.GammaCorrection(execution_config=config)({"image": np.zeros((1, 4, 4))})
