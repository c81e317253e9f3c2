"""Registers, spills and shared memory of every Triton kernel, on a machine without a GPU.

    python bench/kernel_resources.py

Calls each launcher, takes down what it would launch, with the types and constants it launches it
with, and compiles that ahead of time for sm_80 (A100), sm_90a (H100) and sm_100a (B200), to PTX and
on to machine code. A table of what the machine code takes; exit code 1 where a kernel spills, or
takes more than 64 registers a thread. In a process of its own: Triton's interpreter must be off.
"""

from __future__ import annotations

from measuring.report import Report, bench_parser, print_table

PARSER = bench_parser(__doc__)
if __name__ == "__main__":
    # Before what takes seconds to import: --help answers at once.
    OPTIONS = PARSER.parse_args()

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["TRITON_INTERPRET"] = "0"

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction

from packkit_kernels import varlen

TARGETS = {"sm_80": 80, "sm_90a": 90, "sm_100a": 100}
MOST_REGISTERS = 64
CUOBJDUMP = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
INTEGERS = {"int32": "i32", "int64": "i64", "uint8": "u8", "bool": "i1"}
FLOATS = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}


@dataclass(frozen=True, slots=True)
class Launch:
    """A kernel with the types and constants that it is launched with."""

    kernel: JITFunction
    signature: dict[str, str]
    constants: dict[str, Any]
    options: dict[str, Any]
    types: str


@dataclass(frozen=True, slots=True)
class Resources:
    """What a compiled kernel takes: registers and bytes of a thread, shared bytes of a program."""

    name: str
    types: str
    target: str
    registers: int
    spilled: int
    shared: int


def launches() -> Iterator[Launch]:
    """Yields what the launchers launch, on the types that training has."""
    taken: list[Launch] = []
    run = JITFunction.run

    def take_down(kernel: JITFunction, *args: Any, grid: Any, warmup: bool, **named: Any) -> None:
        taken.append(described(kernel, args, named))

    JITFunction.run = take_down
    try:
        launch_all()
    finally:
        JITFunction.run = run
    yield from taken


def launch_all() -> None:
    """Calls every launcher."""
    cu_seqlens = torch.tensor([0, 1500, 4096], dtype=torch.int32)
    labels, rows = torch.zeros(4096, dtype=torch.int64), torch.zeros(4096, dtype=torch.int32)
    slots = torch.tensor([[3, 144], [500, 144]], dtype=torch.int32)
    varlen.pack_tokens(cu_seqlens, labels, 2)
    varlen.block_ranges(cu_seqlens, 4096, 128)
    varlen.dense_mask(cu_seqlens, 4096, torch.bool)
    varlen.feature_rows(slots, 4096)
    for dtype in (torch.float32, torch.bfloat16):
        varlen.dense_mask(cu_seqlens, 4096, dtype)
        features = torch.zeros(288, 2048, dtype=dtype)
        varlen.gather_rows(labels, torch.zeros(1000, 2048, dtype=dtype), features, rows)
        varlen.scatter_rows(torch.zeros(4096, 2048, dtype=dtype), rows, 288, dtype)
        varlen.pool_image_tokens(torch.zeros(2, 729, 1152, dtype=dtype), 27, 12)
        varlen.normalize_pixels(torch.zeros(2, 3, 384, 384, dtype=torch.uint8), dtype)


def described(kernel: JITFunction, args: tuple[Any, ...], named: dict[str, Any]) -> Launch:
    """Returns the launch in the terms of Triton's compiler."""
    values = dict(zip(kernel.arg_names, args, strict=False)) | named
    constants = {p.name: values[p.name] for p in kernel.params if p.is_constexpr}
    signature = {name: type_name(values[name], name in constants) for name in kernel.arg_names}
    # Those of pointers alone: an argument that is a number is fp32 too.
    pointed = {name for name in FLOATS.values() if f"*{name}" in signature.values()}
    options = {name: value for name, value in named.items() if name not in kernel.arg_names}
    return Launch(kernel, signature, constants, options, ", ".join(sorted(pointed)))


def type_name(value: Any, is_constant: bool) -> str:
    """Returns Triton's name of a type."""
    if is_constant:
        return "constexpr"
    if isinstance(value, torch.Tensor):
        return "*" + (INTEGERS | FLOATS)[str(value.dtype).removeprefix("torch.")]
    return "fp32" if isinstance(value, float) else "i32"


def compiled(launch: Launch, target: str) -> Resources:
    """Compiles a kernel and reads from its machine code what it takes."""
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, name in enumerate(launch.signature.values())
        if name.startswith("*")
    }
    source = ASTSource(launch.kernel, launch.signature, launch.constants, aligned)
    gpu = GPUTarget("cuda", TARGETS[target], 32)
    made = triton.compile(source, target=gpu, options=launch.options)
    if f".target {target}" not in made.asm["ptx"]:
        raise RuntimeError(f"{launch.kernel.__name__}: PTX is not for {target}")
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(made.asm["cubin"])
        file.flush()
        command = [CUOBJDUMP, "--dump-resource-usage", file.name]
        usage = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    taken = {name: int(number) for name, number in re.findall(r"(\w+):(\d+)", usage)}
    return Resources(
        launch.kernel.__name__.removesuffix("_kernel"),
        launch.types,
        target,
        taken["REG"],
        taken["STACK"] + taken["LOCAL"],
        made.metadata.shared,
    )


def main(options: argparse.Namespace) -> int:
    """Prints the table; returns 1 where a kernel takes too much."""
    kernels = [compiled(launch, target) for launch in launches() for target in TARGETS]
    report, cells = Report(options), []
    for kernel in kernels:
        metrics = {
            "registers": ("1", kernel.registers),
            "spilled": ("bytes", kernel.spilled),
            "shared memory": ("bytes", kernel.shared),
        }
        for metric, (unit, value) in metrics.items():
            report.add(kernel.name, kernel.target, metric, unit, value, types=kernel.types)
        numbers = [value for _, value in metrics.values()]
        cells.append((kernel.name, kernel.types, kernel.target, *numbers))
    print(f"triton {triton.__version__}")
    print_table(("kernel", "types", "target", "registers", "bytes spilled", "shared bytes"), cells)
    return int(any(row.spilled or row.registers > MOST_REGISTERS for row in kernels))


if __name__ == "__main__":
    sys.exit(main(OPTIONS))
