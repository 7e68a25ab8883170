"""One small study in five tools: how many of its training runs does each make, and when?

    python compare.py TARGET/release/pipeline [TOOL ...]

The study: a grid of 3 learning rates and 4 seeds, each run a shell script, then a table of all results. For each
tool it is written as the tool's own documentation does, in an empty folder. Each line of the output is something
that a user does, with the number of training runs that it made and how it ended. `requirements.txt` names the
versions; the line `sbatch` needs a Slurm cluster on this machine and is left out where there is none.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RATES = ["0.1", "0.2", "0.5"]
SEEDS = ["0", "1", "2", "3"]

# It notes that it ran, waits as long as `control/seconds` says, and fails if `control/fail` has its name.
TRAIN = """#!/bin/sh
# usage: train.sh LEARNING_RATE SEED OUTPUT
echo "$1 $2" >> {control}/log
sleep "$(cat {control}/seconds)"
if [ "$(cat {control}/fail 2>/dev/null)" = "$1 $2" ]; then echo "no convergence" >&2; exit 1; fi
echo "$1 $2 0.9" > "$3"
"""

# It notes how many results it was given.
TABLE = """#!/bin/sh
# usage: table.sh RESULT... > OUTPUT
sort "$@" | tee {control}/table
"""


class Tool:
    """A study in an empty folder; subclasses write it and run it."""

    name = ""

    def __init__(self, program):
        self.program = program
        self.folder = Path(tempfile.mkdtemp(prefix=f"compare-{type(self).__name__.lower()}-"))
        self.control = Path(tempfile.mkdtemp(prefix="compare-control-"))
        self.rates, self.seeds, self.comment = list(RATES), list(SEEDS), ""
        self.wait(0)
        (self.folder / "train.sh").write_text(TRAIN.format(control=self.control))
        (self.folder / "table.sh").write_text(TABLE.format(control=self.control))
        self.write()
        self.prepare()

    def prepare(self):
        """What the tool asks for once in a new folder."""

    def write(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def wait(self, seconds):
        (self.control / "seconds").write_text(str(seconds))

    def runs(self):
        log = self.control / "log"
        return len(log.read_text().splitlines()) if log.exists() else 0

    def start(self):
        return subprocess.Popen(
            self.command(),
            cwd=self.folder,
            stdout=open(self.control / "stdout", "a"),
            stderr=open(self.control / "stderr", "a"),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def act(self):
        """One call of the tool: training runs that it made, its exit code, its CPU seconds."""
        before, used = self.runs(), os.times()
        code = self.start().wait()
        after = os.times()
        seconds = after.children_user + after.children_system - used.children_user - used.children_system
        return self.runs() - before, code, seconds

    def rows(self):
        return len((self.control / "table").read_text().splitlines())

    def kill(self, process):
        os.killpg(process.pid, signal.SIGKILL)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self.control, ignore_errors=True)


class Pipeline(Tool):
    name = "pipeline"

    def write(self):
        (self.folder / "study.yaml").write_text(
            f"""{self.comment}study: grid
stages:
  train:
    command:
      run: sh train.sh {{learning_rate}} {{seed}} result.txt
      inputs: {{ train.sh: ./train.sh }}
      outputs: {{ result: result.txt }}
    sweep: {{ learning_rate: [{", ".join(self.rates)}], seed: [{", ".join(self.seeds)}] }}
  table:
    command:
      run: sh table.sh results/* > table.txt
      inputs: {{ table.sh: ./table.sh, results: train.result }}
      outputs: {{ table: table.txt }}
"""
        )

    def command(self):
        return [self.program, "run", "--jobs", "2", "study.yaml"]


class Dvc(Tool):
    name = "DVC"

    def prepare(self):
        for line in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "config", "core.analytics", "false"]):
            subprocess.run(line, cwd=self.folder, check=True, capture_output=True)

    def write(self):
        results = "".join(f"      - results/{float(r)}-{s}.txt\n" for r in self.rates for s in self.seeds)
        (self.folder / "dvc.yaml").write_text(
            f"""{self.comment}stages:
  train:
    matrix:
      rate: [{", ".join(self.rates)}]
      seed: [{", ".join(self.seeds)}]
    cmd: mkdir -p results && sh train.sh ${{item.rate}} ${{item.seed}} results/${{item.rate}}-${{item.seed}}.txt
    deps: [train.sh]
    outs: ["results/${{item.rate}}-${{item.seed}}.txt"]
  table:
    cmd: sh table.sh results/* > table.txt
    deps:
      - table.sh
{results}    outs: [table.txt]
"""
        )

    def command(self):
        return ["dvc", "repro"]


class Snakemake(Tool):
    name = "Snakemake"

    def write(self):
        (self.folder / "Snakefile").write_text(
            f"""{self.comment}RATES = [{", ".join(self.rates)}]
SEEDS = [{", ".join(self.seeds)}]

rule table:
    input: expand("results/{{rate}}-{{seed}}.txt", rate=RATES, seed=SEEDS)
    output: "table.txt"
    shell: "sh table.sh {{input}} > {{output}}"

rule train:
    input: "train.sh"
    output: "results/{{rate}}-{{seed}}.txt"
    shell: "sh {{input}} {{wildcards.rate}} {{wildcards.seed}} {{output}}"
"""
        )

    def command(self):
        return ["snakemake", "--cores", "2"]


class Hydra(Tool):
    name = "Hydra, W&B"

    def write(self):
        (self.folder / "train.py").write_text(
            f"""{self.comment}import subprocess
from pathlib import Path
import hydra
import wandb

@hydra.main(version_base=None, config_path=None, config_name=None)
def main(cfg):
    Path("results").mkdir(exist_ok=True)
    result = f"results/{{cfg.rate}}-{{cfg.seed}}.txt"
    with wandb.init(project="grid", mode="offline", config={{"rate": cfg.rate, "seed": cfg.seed}}) as run:
        subprocess.run(["sh", "train.sh", str(cfg.rate), str(cfg.seed), result], check=True)
        run.log({{"accuracy": float(Path(result).read_text().split()[2])}})

main()
"""
        )

    def command(self):
        grid = f"python train.py -m +rate={','.join(self.rates)} +seed={','.join(self.seeds)}"
        return ["sh", "-c", f"{grid} && sh table.sh results/* > table.txt"]


class Sbatch(Tool):
    name = "sbatch"

    def write(self):
        (self.folder / "job.sh").write_text(
            f"""#!/bin/bash
{self.comment}#SBATCH --array=0-{len(self.rates) * len(self.seeds) - 1}
#SBATCH --output={self.control}/slurm-%a.out
rates=({" ".join(self.rates)}); seeds=({" ".join(self.seeds)})
rate=${{rates[SLURM_ARRAY_TASK_ID / {len(self.seeds)}]}}; seed=${{seeds[SLURM_ARRAY_TASK_ID % {len(self.seeds)}]}}
mkdir -p results
sh train.sh $rate $seed results/$rate-$seed.txt
"""
        )

    def command(self):
        return ["sh", "-c", "sbatch --wait job.sh && sh table.sh results/* > table.txt"]

    def kill(self, process):
        subprocess.run(["scancel", "--name=job.sh"], check=True)


def said(runs, code, *, of=None):
    ended = "" if code == 0 else f", exit {code}"
    return f"{runs}{'' if of is None else f' of {of}'}{ended}"


def edits(tool):
    """What people do to a study that has run."""
    runs, code, seconds = tool.act()
    yield "first run", said(runs, code)
    runs, code, seconds = tool.act()
    yield "again", f"{said(runs, code)} ({seconds:.1f} s of CPU)"
    tool.comment = "# a comment\n"
    tool.write()
    yield "a comment is added", said(*tool.act()[:2])
    (tool.folder / "train.sh").touch()
    yield "the script has a new date, the same contents", said(*tool.act()[:2])
    tool.rates[2] = "0.50"
    tool.write()
    yield "0.5 is written 0.50", said(*tool.act()[:2])
    tool.rates[2] = "0.5"
    tool.write()
    tool.act()
    tool.seeds.append("4")
    tool.write()
    yield "a seed is added (3 runs are new)", said(*tool.act()[:2])
    tool.seeds.pop()
    tool.write()
    yield "it is removed again", said(*tool.act()[:2])
    script = (tool.folder / "train.sh").read_text()
    (tool.folder / "train.sh").write_text(script.replace("0.9", "0.8"))
    tool.act()
    (tool.folder / "train.sh").write_text(script)
    yield "the script is edited and run, then the edit is undone", said(*tool.act()[:2])


def removal(tool):
    tool.seeds.append("4")
    tool.write()
    tool.act()
    tool.seeds.pop()
    tool.write()
    tool.act()
    yield "a study of 5 seeds goes on with 4 (12 results): results that the table has", tool.rows()


def failure(tool):
    (tool.control / "fail").write_text("0.1 1")
    runs, code, _ = tool.act()
    yield "the second run fails: runs that were made", said(runs, code, of=12)
    (tool.control / "fail").unlink()
    yield "its cause is mended, the same command", said(*tool.act()[:2])


def twice(tool):
    tool.wait(1)
    first = tool.start()
    time.sleep(0.1)
    second = tool.start()
    codes = sorted([first.wait(), second.wait()])
    yield "two terminals at once", f"{tool.runs()} runs, exit codes {codes[0]} and {codes[1]}"


def killed(tool):
    tool.wait(2)
    process = tool.start()
    while tool.runs() < 5 and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    tool.kill(process)
    process.wait()
    done = tool.runs()
    tool.wait(0)
    runs, code, _ = tool.act()
    yield f"killed (-9) when run {done} has begun, the same command", said(runs, code)


def main():
    program = str(Path(sys.argv[1]).resolve())
    tools = [Pipeline, Dvc, Snakemake, Hydra] + ([Sbatch] if shutil.which("sinfo") else [])
    wanted = sys.argv[2:]
    for kind in tools:
        if wanted and kind.name not in wanted:
            continue
        print(f"## {kind.name}", flush=True)
        for part in (edits, removal, failure, twice, killed):
            tool = kind(program)
            try:
                for what, result in part(tool):
                    print(f"{what}: {result}", flush=True)
            except Exception as error:  # printed with what the tool said, then the next part
                print(f"{part.__name__}: {error}\n{(tool.control / 'stderr').read_text()[-2000:]}")
            finally:
                tool.close()


main()
