"""
The quickstart's stages with a model written by hand in PyTorch, on the CPU: the same work as ../world.ts.

    npx tsx bench/world.ts --only captions --reps 1 --batches batches.json
    python bench/peers/world_stages.py '{"batches": "batches.json"}'      (further keys: threads, reps, parts, fused)

The file holds the recipe's architecture and its batches as token ids. Prompts are padded on the left and responses on
the right to the longest of a batch; a batch with a picture has one in every row. What is timed begins with lists of
ids and arrays of pixels and ends with updated weights or lists of ids.

captions, lookups, listings, mixed, trm   weighted log-likelihood, backward, clipping to norm 1, AdamW
rl          sampling by a KV cache (a prompt is computed once for its samples), judging, advantages, update of all
evaluate    greedy answers
Nothing ends before the limit on its tokens.
"""

import copy
import json
import math

import side

c = side.options(
    dict(batches="batches.json", fused=True, parts=["captions", "lookups", "listings", "mixed", "trm", "rl", "evaluate"])
)
side.prepare(c["threads"])
import numpy as np
import torch
import torch.nn.functional as F
from world_model import Model

torch.set_num_threads(c["threads"])
torch.manual_seed(0)
given = json.load(open(c["batches"]))
TOKENS = given["tokens"]
GRID = 3
SIDE = 28 * GRID
PICTURE = 2 + GRID**2  # with its two marks
CELLS = [(r, q) for r in range(GRID) for q in range(GRID)]
STEPS_AT_ONCE = 8
random = np.random.default_rng(0)


def with_pixels(rows):
    """Rows with a picture get one; its content does not matter."""
    for row in rows:
        row["pixels"] = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8) if row["picture"] else None
    return rows


def patches_of(pictures):
    """uint8 (B, SIDE, SIDE, 3) → (B, 4·GRID², 1176) in [−1, 1], the four patches of a merged token together."""
    B = pictures.shape[0]
    x = torch.from_numpy(pictures).float() / 127.5 - 1
    x = x.view(B, GRID, 2, 14, GRID, 2, 14, 3).permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(B, 4 * GRID**2, 588)
    return torch.cat([x, x], -1)


def lay_prompts(rows):
    """Patches or None, ids, positions, valid, and the position that follows each prompt."""
    slots = PICTURE if any(row["picture"] for row in rows) else 0
    B, T = len(rows), slots + max(len(row["prompt"]) for row in rows)
    ids, valid = np.zeros((B, T), np.int64), np.zeros((B, T), bool)
    positions, after = np.zeros((B, T, 3), np.int64), np.zeros(B, np.int64)
    pictures = np.zeros((B, SIDE, SIDE, 3), np.uint8)
    for b, row in enumerate(rows):
        at = 0
        if row["picture"]:
            pictures[b] = row["pixels"]
            ids[b, 0], ids[b, 1 : slots - 1], ids[b, slots - 1] = TOKENS["vision_start"], TOKENS["image"], TOKENS["vision_end"]
            valid[b, :slots] = True
            for i, (r, q) in enumerate(CELLS):
                positions[b, 1 + i] = (1, 1 + r, 1 + q)
            positions[b, slots - 1] = 1 + GRID
            at = 2 + GRID
        n = len(row["prompt"])
        ids[b, T - n :], valid[b, T - n :] = row["prompt"], True
        positions[b, T - n :] = np.arange(at, at + n)[:, None]
        after[b] = at + n
    tensors = [torch.from_numpy(x) for x in (ids, positions, valid, after)]
    return patches_of(pictures) if slots else None, *tensors


def lay_rows(rows):
    """Prompts with responses; where the responses begin; the weights of their tokens, 0 where there is none."""
    patches, ids, positions, valid, after = lay_prompts(rows)
    B, L = len(rows), max(len(row["response"]) for row in rows)
    response, present, weights = torch.zeros(B, L, dtype=torch.long), torch.zeros(B, L, dtype=torch.bool), torch.zeros(B, L)
    for b, row in enumerate(rows):
        n = len(row["response"])
        response[b, :n], present[b, :n] = torch.tensor(row["response"]), True
        weights[b, :n] = torch.tensor(row["weights"], dtype=torch.float32)
    follows = (after[:, None] + torch.arange(L))[..., None].expand(-1, -1, 3)
    start = ids.shape[1]
    laid = patches, torch.cat([ids, response], 1), torch.cat([positions, follows], 1), torch.cat([valid, present], 1)
    return laid, start, weights


def hidden_states(model, laid):
    patches, ids, positions, valid = laid
    return model(patches, ids[:, :-1], positions[:, :-1], valid[:, :-1])


def logprobs(model, laid, start):
    """Of every response token, (B, L)."""
    h = hidden_states(model, laid)[:, start - 1 :]
    return F.log_softmax(model.logits(h), -1).gather(-1, laid[1][:, start:, None])[..., 0]


def optimizer_of(model):
    o = given["optimizer"]
    groups = [
        dict(params=[p for p in model.parameters() if p.dim() == 2], weight_decay=o["weight_decay"]),
        dict(params=[p for p in model.parameters() if p.dim() != 2], weight_decay=0),
    ]
    rate = o["learning_rate"] / max(1, o["warmup"])
    return torch.optim.AdamW(groups, lr=rate, betas=tuple(o["betas"]), fused=c["fused"])


def ascend(loss):
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), given["optimizer"]["max_grad_norm"])
    optimizer.step()


def training_step(rows):
    def step():
        laid, start, weights = lay_rows(rows)
        ascend(-(logprobs(model, laid, start) * weights).sum() / weights.sum())

    return step


@torch.no_grad()
def sample(model, rows, samples, temperature, new_tokens):
    """Lists of token ids, `samples` for each row; temperature 0 is greedy."""
    patches, ids, positions, valid, after = lay_prompts(rows)
    a, B, S = model.a, len(rows), ids.shape[1]
    size = a["hidden"] // a["heads"]
    prompts = [tuple(torch.zeros(B, a["kv_heads"], S, size) for _ in "kv") for _ in model.blocks]
    x = model(patches, ids, positions, valid, prompts, 0)[:, -1].repeat_interleave(samples, 0)
    cache = []
    for pair in prompts:
        grown = tuple(torch.zeros(B * samples, a["kv_heads"], S + new_tokens, size) for _ in "kv")
        for target, known in zip(grown, pair):
            target[:, :, :S] = known.repeat_interleave(samples, 0)
        cache.append(grown)
    new = torch.ones(B * samples, new_tokens, dtype=torch.bool)
    valid = torch.cat([valid.repeat_interleave(samples, 0), new], 1)
    after = after.repeat_interleave(samples)
    out = []
    for t in range(new_tokens):
        logits = model.logits(x)
        greedy = temperature == 0
        token = logits.argmax(-1) if greedy else torch.multinomial(F.softmax(logits / temperature, -1), 1)[:, 0]
        out.append(token)
        if t == new_tokens - 1:
            break
        at = (after + t)[:, None, None].expand(-1, 1, 3)
        mask = valid[:, None, None, : S + t + 1]
        x = model(None, token[:, None], at, None, cache, S + t, mask)[:, 0]
    return torch.stack(out, 1).tolist()


@torch.no_grad()
def judge(model, rows):
    """Expected value over the eleven score tokens."""
    laid, start, weights = lay_rows(rows)
    last = torch.tensor([start + len(row["response"]) - 2 for row in rows])
    h = hidden_states(model, laid)
    logits = model.logits(h[torch.arange(len(rows)), last])[:, TOKENS["scores"]]
    return (logits.softmax(-1) @ (torch.arange(11) / 10.0)).numpy()


def trust_advantages(outcome, thinking, alpha):
    """(P, G) each → (P·G)"""
    reward = outcome.copy()
    for p in range(len(outcome)):
        right = outcome[p] >= 0.5
        gamma = 1.0
        if right.any() and not right.all():
            gamma = math.exp(min(0.0, thinking[p][right].mean() - thinking[p][~right].mean()))
        reward[p] += gamma * alpha * thinking[p]
    difference = reward - reward.mean(1, keepdims=True)
    return (difference / (reward.std(1, keepdims=True) + 1e-4)).ravel()


def rl_step():
    r = given["rl"]
    P, G = len(r["asked"]), r["samples"]
    clock = side.Clock()
    sampled = sample(model, r["asked"], G, 1.0, r["max_tokens"])
    sample_s = clock.read()["s"]
    thinking = judge(trm, [row for row in r["judged"] for _ in range(G)]).reshape(P, G)
    outcome = np.tile(np.arange(G) % 2, (P, 1)).astype(float)
    advantages = trust_advantages(outcome, thinking, r["alpha"])
    judged_s = clock.read()["s"]
    asked = [row for row in r["asked"] for _ in range(G)]
    rows = [{**row, "response": tokens, "weights": [1.0] * len(tokens)} for row, tokens in zip(asked, sampled)]
    laid, start, weights = lay_rows(rows)
    weighed = weights * torch.tensor(advantages, dtype=torch.float32)[:, None]
    ascend(-(logprobs(model, laid, start) * weighed).sum() / weights.sum())
    return dict(sample_s=sample_s, judge_s=judged_s - sample_s, update_s=clock.read()["s"] - judged_s)


def evaluate():
    e = given["evaluation"]
    sample(model, e["asked"], 1, 0, e["max_tokens"])


model = Model(given["architecture"], given["vocabulary"], GRID)
trm = copy.deepcopy(model)
optimizer = optimizer_of(model)
lessons = {kind: with_pixels(rows) for kind, rows in given["lessons"].items()}
for asked in (given["rl"]["asked"], given["rl"]["judged"], given["evaluation"]["asked"]):
    with_pixels(asked)
parts = {kind: training_step(rows) for kind, rows in lessons.items()}
parts.update(rl=rl_step, evaluate=evaluate)
facts = dict(
    **{k: v for k, v in side.versions().items() if k != "transformers"},
    threads=torch.get_num_threads(),
    parameters=sum(p.numel() for p in model.parameters()),
    questions=len(given["evaluation"]["asked"]),
)
side.run(c, facts, parts, only=c["parts"], repeat={kind: STEPS_AT_ONCE for kind in lessons})
