"""Counts what a training step asks of a CUDA driver, without a GPU.

    python3 count.py PROGRAM [MODEL RULE BATCH [FEW MANY]]

PROGRAM is `pipeline` built with the feature `cuda`. It runs on `driver.c`, a stand-in for the driver whose copies are
real and whose kernels do nothing: it counts, and says nothing about speed or values. A step is the difference of runs
of MANY (30) and FEW (10) steps. MODEL: resnet20, resnet32, alexnet; RULE: sgd, kfac-1-1, kfac-10-100, kfac-burn-in.
Without them, ResNet20 at batch 128 by each rule. Needs gcc. Kernels with exp, log or tanh need NVIDIA's libdevice: the
PyPI package nvidia-cuda-nvcc-cu12, and CUDA_PATH its folder nvidia/cuda_nvcc. If there is bin/ptxas in that folder, each
kernel is assembled for an H100 (sm_90a), and what it takes is printed: a multiprocessor has 65,536 registers, and what
spills goes through memory.
"""

import os
import re
import resource
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from study import RULES, images, study

# In the order of the enumeration in driver.c.
COUNTS = [
    "launches", "copies to the device", "copies to the host", "copies on the device", "bytes to the device",
    "bytes to the host", "allocations", "frees", "modules", "waits for a stream", "waits for an event",
    "events recorded", "waits of streams", "graph launches", "host allocations", "memory sets",
    "bytes allocated at most",
]  # fmt: skip


def cpu() -> float:
    """Seconds of CPU of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def counted(program: Path, folder: Path, text: str, kernels: dict[str, str]) -> list[float]:
    """The counts of all processes of a run, and its seconds of CPU; `kernels` gets the PTX of each by its name."""
    work = Path(tempfile.mkdtemp(dir=folder))
    (work / "study.yaml").write_text(text)
    (work / "cifar-10-binary.tar.gz").symlink_to(folder / "cifar-10-binary.tar.gz")
    environment = os.environ | {"STAND_IN_LOG": str(work / "log"), "LD_LIBRARY_PATH": str(folder)}
    command = [program, "run", "study.yaml", "--cache", "cache", "--device", "cuda", "--jobs", "1", "-q"]
    before = cpu()
    subprocess.run(command, cwd=work, env=environment, check=True, stdout=subprocess.DEVNULL)
    seconds = cpu() - before
    for file in work.glob("log.*.ptx"):
        text = file.read_text()
        kernels |= {name: text for name in re.findall(r"\.entry (\w+)", text)}
    logs = [log for log in work.glob("log.*") if log.suffix != ".ptx"]
    if not logs:
        sys.exit(f"{program} did not call the stand-in driver: was it built with the feature `cuda`?")
    columns = zip(*(struct.unpack(f"{len(COUNTS)}q", log.read_bytes()) for log in logs))
    *counts, allocated = map(list, columns)
    return [*map(sum, counts), max(allocated), 1000 * seconds]


def assemble(kernels: dict[str, str], ptxas: Path, folder: Path) -> None:
    """Prints what each kernel takes of a multiprocessor."""
    source = folder / "kernel.ptx"
    print(f"{len(kernels)} kernels: registers of a thread, bytes that spill")
    for name, text in sorted(kernels.items()):
        source.write_text(text)
        command = [ptxas, "-v", "-arch=sm_90a", "-o", folder / "kernel.cubin", source]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        found = [re.search(rf"(\d+) {what}", said) for what in ("registers", "bytes spill stores")]
        print(*(f"{int(it[1]) if it else 0:7}" for it in found), f" {name}")


def main() -> None:
    if len(sys.argv) not in (2, 5, 7):
        sys.exit(__doc__)
    program = Path(sys.argv[1]).resolve()
    model, rules, batch = "resnet20", list(RULES), 128
    if len(sys.argv) > 2:
        model, rules, batch = sys.argv[2], [sys.argv[3]], int(sys.argv[4])
    few, many = map(int, sys.argv[5:] or (10, 30))
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        library = folder / "libcuda.so.1"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, here / "driver.c"], check=True)
        (folder / "libcuda.so").symlink_to(library)
        images(folder, 2500)
        kernels: dict[str, str] = {}
        for rule in rules:
            first, last = (counted(program, folder, study(model, rule, batch, steps), kernels) for steps in (few, many))
            print(f"{model}, {rule}, batch {batch}: a step of {many - few}")
            for name, a, b in zip([*COUNTS, "ms of CPU"], first, last):
                if name == "bytes allocated at most":
                    print(f"{b:14}  {name}, by the longer run")
                elif b:
                    print(f"{(b - a) / (many - few):14.1f}  {name}")
        ptxas = Path(os.environ.get("CUDA_PATH", ""), "bin", "ptxas")
        if ptxas.is_file():
            assemble(kernels, ptxas, folder)


if __name__ == "__main__":
    main()
