"""Does Hugging Face transformers compute what `sophia logprobs` does? Reads the rows that `sophia logprobs` was given and
those it printed, computes prompt ids, completion ids, log-probabilities and greedy ids in float32 and compares.

    npx sophia logprobs --model MODEL_DIR --in ROWS.jsonl --greedy 16 > scored.jsonl
    python scripts/transformers_logprobs.py MODEL_DIR ROWS.jsonl scored.jsonl [--attention eager] [--tolerance 1e-4]

Ids must be the same, log-probabilities within the tolerance; exit code 1 where they are not. Where greedy ids part, the
two tokens' logits must be closer than the tolerance. Pictures are opened by Pillow with their EXIF orientation applied.
Needs torch, torchvision, transformers and pillow.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from PIL import Image, ImageOps
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration


def chat_of(row, folder):
    """The prompt as text and its pictures. A picture's file name is taken out, so that transformers does not open it."""
    messages, pictures = [], []
    for message in row["messages"]:
        content = message["content"]
        if not isinstance(content, str):
            content = [dict(part) for part in content]
            for part in content:
                if part["type"] == "image":
                    pictures.append(ImageOps.exif_transpose(Image.open(folder / part.pop("image"))))
        messages.append({**message, "content": content})
    return processor.apply_chat_template(messages, add_generation_prompt=True), pictures


@torch.no_grad()
def expected(row, folder, greedy):
    """Prompt ids, completion ids, log-probabilities, greedy ids and the logits these were chosen by."""
    text, pictures = chat_of(row, folder)
    inputs = processor(text=[text], images=pictures or None, return_tensors="pt")
    prompt = inputs.pop("input_ids")
    inputs.pop("attention_mask")
    token_types = inputs.pop("mm_token_type_ids", None)
    completion = processor.tokenizer(row["completion"], add_special_tokens=False)["input_ids"]
    ids = torch.cat([prompt, torch.tensor([completion], dtype=torch.long)], dim=1)
    logprobs = []
    if completion:
        if token_types is not None:
            more = torch.zeros(1, len(completion), dtype=token_types.dtype)
            inputs["mm_token_type_ids"] = torch.cat([token_types, more], dim=1)
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), **inputs).logits[0]
        scores = torch.log_softmax(logits.float()[prompt.shape[1] - 1 : -1], dim=-1)
        logprobs = scores.gather(1, ids[0, prompt.shape[1] :, None])[:, 0].tolist()
    if token_types is not None:
        inputs["mm_token_type_ids"] = token_types
    continued, steps = [], []
    if greedy > 0:
        options = {"do_sample": False, "max_new_tokens": greedy, "eos_token_id": None, "output_logits": True}
        out = model.generate(
            input_ids=prompt, attention_mask=torch.ones_like(prompt), return_dict_in_generate=True, **options, **inputs
        )
        continued = out.sequences[0, prompt.shape[1] :].tolist()
        steps = [step[0].float() for step in out.logits]
    return prompt[0].tolist(), completion, logprobs, continued, steps


def part(ours, theirs, steps):
    """None where greedy ids agree, else how far apart the logits of the first two different tokens are."""
    for mine, other, step in zip(ours, theirs, steps):
        if mine != other:
            return abs(float(step[mine] - step[other]))
    return None if len(ours) == len(theirs) else float("inf")


parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("model", type=Path)
parser.add_argument("rows", type=Path)
parser.add_argument("scored", type=Path, help="what sophia logprobs printed")
parser.add_argument("--attention", choices=["eager", "sdpa"], default="eager")
parser.add_argument("--tolerance", type=float, default=1e-4)
options = parser.parse_args()

processor = AutoProcessor.from_pretrained(options.model)
model = Qwen2_5_VLForConditionalGeneration.from_pretrained(
    options.model, dtype=torch.float32, attn_implementation=options.attention
).eval()
# Penalties and limits of the folder's generation_config.json are not argmax.
model.generation_config = type(model.generation_config)(pad_token_id=0)

rows = [json.loads(line) for line in options.rows.open(encoding="utf-8") if line.strip()]
scored = [json.loads(line) for line in options.scored.open(encoding="utf-8")]
wrong = 0
worst, tokens, greedy_tokens, ties = 0.0, 0, 0, 0
if len(rows) != len(scored):
    sys.exit(f"{options.rows} has {len(rows)} rows, {options.scored} has {len(scored)}")
for number, (row, ours) in enumerate(zip(rows, scored), start=1):
    prompt, completion, logprobs, continued, steps = expected(
        row, options.rows.parent, len(ours.get("greedy_ids", []))
    )
    complaints = [f"{key} is not kept" for key in row if ours.get(key) != row[key]]
    complaints += [
        f"{key} differ ({len(ours[key])} against {len(theirs)})"
        for key, theirs in [("prompt_ids", prompt), ("completion_ids", completion)]
        if ours[key] != theirs
    ]
    if len(ours["logprobs"]) != len(logprobs):
        complaints.append(f"{len(ours['logprobs'])} log-probabilities against {len(logprobs)}")
    differences = [abs(a - b) for a, b in zip(ours["logprobs"], logprobs)]
    difference = max(differences, default=0.0)
    worst = max(worst, difference)
    tokens += len(logprobs)
    greedy_tokens += len(continued)
    if not all(d <= options.tolerance for d in differences):
        complaints.append(f"log-probabilities differ by up to {difference:.3g}")
    gap = part(ours.get("greedy_ids", []), continued, steps)
    if gap is not None and gap <= options.tolerance:
        ties += 1
    elif gap is not None:
        complaints.append(f"greedy_ids differ, where the logits are {gap:.3g} apart")
    wrong += bool(complaints)
    for complaint in complaints:
        print(f"row {number}: {complaint}")
print(
    f"{len(rows) - wrong} of {len(rows)} rows agree: {tokens} log-probabilities, largest difference {worst:.3g};"
    f" {greedy_tokens} greedy tokens, {ties} rows part at a tie"
)
sys.exit(1 if wrong else 0)
