"""What the peer programs share: options, threads, measuring, and being one side of a comparison (see ../side.ts)."""

import json
import os
import platform
import statistics
import sys
import time
from importlib import metadata


def options(defaults, named=None):
    """Options from the command line's JSON object; its `name` chooses among `named` ones."""
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    common = dict(name="XS", threads=2, reps=5, serve=False)
    merged = {**common, **defaults, **given}
    chosen = (named or {}).get(merged["name"], {})
    return {**common, **defaults, **chosen, **given}


def prepare(threads):
    """Before torch is imported: threads, no GPU, no network."""
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.update(
        HF_HUB_OFFLINE="1",
        HF_DATASETS_OFFLINE="1",
        CUDA_VISIBLE_DEVICES="",
        WANDB_DISABLED="true",
        TOKENIZERS_PARALLELISM="false",
    )


def versions():
    found = {name: metadata.version(name) for name in ("torch", "transformers")}
    return dict(python=platform.python_version(), **found)


def busy_seconds():
    """Seconds all cores together have been busy: user nice system irq softirq steal."""
    ticks = [int(x) for x in open("/proc/stat").readline().split()[1:]]
    return (sum(ticks[:3]) + sum(ticks[5:8])) / 100.0


class Clock:
    """Wall time, CPU time of this process, and the cores that other processes kept busy, since it was made."""

    def __init__(self):
        self.busy, self.cpu, self.wall = busy_seconds(), time.process_time(), time.perf_counter()

    def read(self):
        wall = time.perf_counter() - self.wall
        cpu = time.process_time() - self.cpu
        others = max(0.0, busy_seconds() - self.busy - cpu) / wall
        return dict(s=wall, cpu_s=cpu, others=round(others, 2))


def measure(work, repeat=1):
    """Of one time, if it is done several times on end."""
    clock = Clock()
    for _ in range(repeat):
        detail = work()
    measured = clock.read()
    measured.update(s=measured["s"] / repeat, cpu_s=measured["cpu_s"] / repeat)
    return {**measured, "detail": detail} if isinstance(detail, dict) else measured


def summary(measured):
    best = min(measured, key=lambda m: m["s"])
    out = dict(
        best_s=round(best["s"], 4),
        median_s=round(statistics.median(m["s"] for m in measured), 4),
        cpu_s=round(min(m["cpu_s"] for m in measured), 4),
        reps=len(measured),
        others=[m["others"] for m in measured],
    )
    return {**out, "detail": best["detail"]} if "detail" in best else out


class Answers:
    """Lines of JSON for whoever asked. Whatever else is printed goes to standard error."""

    def __init__(self):
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def say(self, value):
        print(json.dumps(value), file=self.out, flush=True)


def run(c, facts, parts, only=None, tokens=None, repeat=None):
    """
    Serves, or measures each part (the first time does not count) and prints one JSON object. `tokens`: how many a part
    deals with; `repeat`: how often a short one is done on end.
    """
    answers = Answers()
    times = lambda name: (repeat or {}).get(name, 1)
    if c["serve"]:
        answers.say(facts)
        for line in sys.stdin:
            part = line.strip()
            answers.say(measure(parts[part], times(part)))
        return
    result = dict(facts)
    for name in only or parts:
        parts[name]()
        result[name] = summary([measure(parts[name], times(name)) for _ in range(c["reps"])])
        if name in (tokens or {}):
            result[name]["tokens_per_s"] = round(tokens[name] / result[name]["best_s"])
    import resource

    result["max_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    answers.say(result)
