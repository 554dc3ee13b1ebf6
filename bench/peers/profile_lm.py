"""Where PyTorch's time goes: shares of self CPU time by operator.    python profile_lm.py XS [backward,loop]"""

import json
import sys

name, parts = (sys.argv[1:] + ["XS"])[0], (sys.argv[2:] + ["backward,loop"])[0].split(",")
sys.argv = [sys.argv[0], json.dumps({"name": name})]
import torch_lm
from torch.profiler import ProfilerActivity, profile

for part in parts:
    work = getattr(torch_lm, part)
    work()
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        work()
    events = sorted(profiled.key_averages(), key=lambda e: -e.self_cpu_time_total)
    total = sum(e.self_cpu_time_total for e in events)
    print(f"{name} {part}: {total / 1e6:.3f} s in {sum(e.count for e in events)} operators")
    for event in events[:12]:
        share = 100 * event.self_cpu_time_total / total
        print(f"{share:5.1f} %  {event.self_cpu_time_total / 1e6:.4f} s  {event.count:6d}  {event.key}")
