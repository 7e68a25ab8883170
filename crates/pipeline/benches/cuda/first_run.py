"""The first ten minutes on a machine with a GPU: is it right, how fast is a step, how many runs share it?

    python3 first_run.py PROGRAM [OUTPUT]

PROGRAM is `pipeline` built with the feature `cuda`. Prints, and leaves in OUTPUT (a new folder of the working one),
what a bug report should have: `pipeline doctor --device cuda`, the time of a step of ResNet20 by the difference of two
lengths of runs, PyTorch's beside it if there is one (eager, and with CUDA graphs), runs at once without and with
NVIDIA's MPS, and what compute-sanitizer finds. Each part goes on if another fails, and the exit code says whether one
did.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from study import IMAGES, images, study

FEW, MANY = 10, 60
CASES = [("sgd", 128), ("sgd", 1024), ("sgd", 8192), ("kfac-10-100", 128), ("kfac-1-1", 128)]
BESIDE = Path(__file__).parents[3] / "training/tests/pytorch"


class Machine:
    def __init__(self, program: Path, output: Path) -> None:
        self.program, self.output, self.failed = program, output, []
        output.mkdir(parents=True)
        images(output, 10_000)

    def command(self, name: str, command: list[str], limit: int = 300) -> str:
        """Its output, which is also printed and kept in a file of that name."""
        print(f"--- {name}", flush=True)
        try:
            ended = subprocess.run(command, cwd=self.output, timeout=limit, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            text, code = ended.stdout, ended.returncode
        except (OSError, subprocess.TimeoutExpired) as error:
            text, code = f"{error}\n", 1
        (self.output / f"{name}.txt").write_text(text)
        print(text, end="", flush=True)
        if code != 0:
            self.failed.append(name)
        return text

    def seconds(self, name: str, text: str, jobs: int, device: str = "cuda") -> float | None:
        """How long a study takes with an empty cache."""
        work = Path(tempfile.mkdtemp(dir=self.output))
        (work / "study.yaml").write_text(text)
        (work / IMAGES).symlink_to(self.output / IMAGES)
        arguments = ["run", "study.yaml", "--cache", "cache", "--device", device, "--jobs", str(jobs), "-q"]
        arguments += ["--gpus", "0"] if device == "cuda" else []
        start = time.monotonic()
        with (work / "log").open("w") as log:
            try:
                subprocess.run([self.program, *arguments], cwd=work, stdout=log, stderr=log, check=True, timeout=200)
            except (OSError, subprocess.SubprocessError) as error:
                print(f"{name}: {error}\n{(work / 'log').read_text()}")
                self.failed.append(name)
                return None
        return time.monotonic() - start

    def step(self, rule: str, batch: int) -> None:
        name = f"{rule}, batch {batch}"
        times = [self.seconds(name, study("resnet20", rule, batch, steps), 1) for steps in (FEW, MANY)]
        if None not in times:
            print(f"{name}: {1e6 * (times[1] - times[0]) / (MANY - FEW):.0f} us a step, {times[0]:.1f} s from a cold start", flush=True)

    def at_once(self, how: str) -> None:
        """Eight runs, so many at a time."""
        for jobs in (1, 2, 4, 8):
            name = f"eight runs, {jobs} at once, {how}"
            seconds = self.seconds(name, study("resnet20", "sgd", 128, 300, seeds=8), jobs)
            if seconds is not None:
                print(f"{name}: {seconds:.1f} s", flush=True)


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    machine = Machine(Path(sys.argv[1]).resolve(), Path(sys.argv[2] if len(sys.argv) > 2 else "first-run").resolve())
    machine.command("nvidia-smi", ["nvidia-smi"])
    machine.command("version", [machine.program, "--version"])
    machine.command("doctor", [machine.program, "doctor", "--device", "cuda"], limit=600)
    print("--- steps of ResNet20", flush=True)
    for rule, batch in CASES:
        machine.step(rule, batch)
    machine.command("pytorch", [sys.executable, str(Path(__file__).with_name("pytorch.py")), str(BESIDE)])
    print("--- several runs", flush=True)
    machine.at_once("shared")
    machine.command("mps", ["nvidia-cuda-mps-control", "-d"])
    if "mps" not in machine.failed:
        machine.at_once("with MPS")
        subprocess.run(["nvidia-cuda-mps-control"], input="quit\n", text=True, check=False)
    sanitizer = ["compute-sanitizer", "--tool", "memcheck", machine.program, "doctor", "--device", "cuda", "--batch-size", "16"]
    machine.command("sanitizer", sanitizer)
    if machine.failed:
        sys.exit(f"failed: {'; '.join(machine.failed)}")


if __name__ == "__main__":
    main()
