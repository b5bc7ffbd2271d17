"""Which numbers are multiplied, by what a processor says of itself."""

import pytest
import torch

from lanterne.precision import best_dtype, mixed

PROCESSORS = {
    "Intel with AMX": ({"amx_bf16": True, "avx512_bf16": True, "cpu_name": "Intel Xeon"}, torch.bfloat16),
    "Intel without": ({"amx_bf16": False, "avx512_bf16": True, "cpu_name": "Intel Xeon"}, torch.float32),
    "AMD Zen 4": ({"amx_bf16": False, "avx512_bf16": True, "cpu_name": "AMD EPYC"}, torch.bfloat16),
    "AMD Zen 3": ({"amx_bf16": False, "avx512_bf16": False, "cpu_name": "AMD EPYC"}, torch.float32),
    "ARM": ({"bf16": True, "cpu_name": "Apple M2"}, torch.float32),
}


@pytest.mark.parametrize("name", PROCESSORS)
def test_bfloat16_only_where_it_is_faster(monkeypatch, name):
    has, dtype = PROCESSORS[name]
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert best_dtype() is dtype
    assert best_dtype("cuda") is torch.bfloat16
    with mixed():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is dtype


def test_torch_tells_what_is_asked_of_it():
    has = torch.cpu.get_capabilities()
    if has["architecture"] == "x86_64":
        assert {"amx_bf16", "avx512_bf16", "cpu_name"} <= has.keys()
