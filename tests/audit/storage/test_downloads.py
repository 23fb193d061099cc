"""Published weights that are not on this machine: where no host answers, one line within seconds."""

from __future__ import annotations

import importlib.util
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from audit.config.recipe import SourceSection
from audit.data.huggingface import HuggingFace
from audit.data.torchvision import Torchvision
from audit.models.source import pretrained
from audit.storage import downloads
from audit.storage.downloads import check_reachable, downloading
from probes.errors import DataError
from tests.audit.data import layouts

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def nothing_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    if importlib.util.find_spec("huggingface_hub"):
        constants: Any = importlib.import_module("huggingface_hub.constants")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def _no_network(*_: object, **__: object) -> socket.socket:
    raise socket.gaierror(-3, "Temporary failure in name resolution")


@pytest.mark.parametrize(
    ("model", "weights", "host"),
    [
        ("timm:test_vit", "pretrained", "huggingface.co"),
        ("torchvision:resnet18", "IMAGENET1K_V1", "download.pytorch.org"),
    ],
)
def test_without_a_network_no_client_is_asked_to_download(monkeypatch, model, weights, host):
    if model.startswith("timm"):
        pytest.importorskip("timm")
    monkeypatch.setattr(socket, "create_connection", _no_network)
    with pytest.raises(DataError) as caught:
        pretrained(SourceSection(model=model, weights=weights), Path())
    assert str(caught.value) == (
        f"source.weights: {weights} of {model} was not found and cannot be downloaded: {host} cannot be reached: "
        "Temporary failure in name resolution. Download it elsewhere and give its file."
    )


def test_data_of_the_hub_without_a_network(tmp_path, monkeypatch):
    pytest.importorskip("datasets")
    monkeypatch.setattr(socket, "create_connection", _no_network)
    with pytest.raises(DataError, match=r"pets is not a folder and cannot be downloaded.*HF_HUB_OFFLINE=1 reads what"):
        HuggingFace(kind="huggingface", name="nobody/pets").read(tmp_path, trust_code=True)


def test_data_of_torchvision_without_a_network(tmp_path, monkeypatch):
    section = Torchvision(kind="torchvision", dataset="MNIST", root=Path(), download=True)
    monkeypatch.setattr(socket, "create_connection", _no_network)
    with pytest.raises(DataError, match=r"MNIST is not complete in .*yann\.lecun\.com cannot be reached: Temporary"):
        section.read(tmp_path, trust_code=True)
    layouts.mnist(tmp_path, "MNIST")
    assert len(section.read(tmp_path, trust_code=True)) == 10


def test_a_download_of_torchvision_that_stops_is_one_line(tmp_path, monkeypatch):
    from torchvision import datasets

    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(downloads, "SILENT", 0.2)
        monkeypatch.setattr(datasets.CIFAR10, "url", f"http://127.0.0.1:{silent.getsockname()[1]}/cifar.tar.gz")
        with pytest.raises(DataError, match=r"CIFAR10 is not complete in .*timed out"):
            Torchvision(kind="torchvision", dataset="CIFAR10", root=Path(), download=True).read(
                tmp_path, trust_code=True
            )


def test_a_host_that_does_not_answer_is_not_waited_for(monkeypatch):
    over = threading.Event()

    def silent(*_: object, **__: object) -> socket.socket:
        over.wait()
        raise OSError

    monkeypatch.setattr(downloads, "CONNECTING", 0.01)
    monkeypatch.setattr(socket, "create_connection", silent)
    with pytest.raises(TimeoutError, match=r"^silent did not answer within"):
        check_reachable("https://silent/weights.pth")
    over.set()


def test_a_proxy_is_what_must_be_reached(monkeypatch):
    asked = []
    monkeypatch.setenv("https_proxy", "http://proxy:3128")
    monkeypatch.setattr(socket, "create_connection", lambda where, timeout: asked.append(where) or socket.socket())
    with downloading("https://huggingface.co"):
        assert socket.getdefaulttimeout() == downloads.SILENT
    assert socket.getdefaulttimeout() is None
    assert asked == [("proxy", 3128)]


def test_weights_of_timm_in_the_hubs_cache_are_read_without_a_network(tmp_path, monkeypatch):
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    monkeypatch.setattr(socket, "create_connection", _no_network)
    repository = tmp_path / "models--timm--test_resnet.r160_in1k"
    (repository / "snapshots" / "abc").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    torch.manual_seed(1)
    state = timm.create_model("test_resnet").state_dict()
    save_file(state, repository / "snapshots" / "abc" / "model.safetensors")
    found = pretrained(SourceSection(model="timm:test_resnet", weights="pretrained"), tmp_path)
    assert found is not None
    assert all(torch.equal(found[name], value) for name, value in state.items())
