from __future__ import annotations

import pytest
import torch

from model.device import bf16_is_fast, describe, pick_device


def test_the_machine_is_described_and_its_devices_can_be_picked() -> None:
    machine = describe()
    assert machine.torch == torch.__version__ and machine.cores >= 1 and machine.threads >= 1
    assert machine.devices[-1].name == "cpu" and machine.devices[-1].title
    for device in machine.devices:
        assert torch.ones(2, device=pick_device(device.name)).sum() == 2
        assert device.bf16 == bf16_is_fast(pick_device(device.name))
    assert str(pick_device()) == machine.devices[0].name


@pytest.mark.parametrize("name", ["cuda:99", "gpu", ""])
def test_an_absent_device_is_named_with_what_there_is(name: str) -> None:
    with pytest.raises(ValueError, match=rf"no device '{name}' here: choose from .*cpu"):
        pick_device(name)


def test_bf16_is_slow_where_torch_does_not_say_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    assert not bf16_is_fast(torch.device("cpu"))
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert bf16_is_fast(torch.device("cpu"))
    assert not bf16_is_fast(torch.device("mps"))
