"""Does Hugging Face PEFT give the same log-probabilities as us? Loads a model folder with an adapter folder on it and goes
through rows that `sophia logprobs --adapter` printed: {messages, completion, prompt_ids, completion_ids, logprobs}.

    python scripts/peft_agree.py MODEL_DIR ADAPTER_DIR ROWS.jsonl [MERGED_DIR]

MERGED_DIR: what `sophia export --adapter` wrote (float32), held against PEFT's own merge tensor by tensor. ROWS.jsonl may be
`-` to compare only that. Ends with 1 where anything is further apart than 1e-4. Needs torch, torchvision, transformers,
peft and pillow.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from peft import PeftModel
from PIL import Image
from safetensors import safe_open
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

TOLERANCE = 1e-4
model_dir, adapter_dir, rows_file = sys.argv[1:4]
warnings.simplefilter("error", UserWarning)  # PEFT only warns of adapter weights that are missing or not used
base = Qwen2_5_VLForConditionalGeneration.from_pretrained(model_dir, dtype=torch.float32, attn_implementation="eager")
model = PeftModel.from_pretrained(base, adapter_dir).eval()
warnings.simplefilter("default", UserWarning)
worst = 0.0


def logprobs(row, folder):
    """The processor's prompt ids, and the log-probability of each token of the completion."""
    messages, images = [], []
    for message in row["messages"]:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        images += [Image.open(folder / part["image"]) for part in parts if part["type"] == "image"]
        messages.append({**message, "content": [{"type": "image"} if p["type"] == "image" else p for p in parts]})
    text = processor.apply_chat_template(messages, add_generation_prompt=True)
    inputs = processor(text=[text], images=images or None, return_tensors="pt")
    prompt = inputs.pop("input_ids")
    completion = torch.tensor([row["completion_ids"]], dtype=torch.long)
    # What a processor says of each token (its kind, its mask) has to cover the completion, too.
    for key, value in inputs.items():
        if value.shape == prompt.shape:
            filler = torch.full(completion.shape, int(key == "attention_mask"), dtype=value.dtype)
            inputs[key] = torch.cat([value, filler], 1)
    with torch.no_grad():
        logits = model(input_ids=torch.cat([prompt, completion], 1), **inputs).logits
    chosen = logits[0, prompt.shape[1] - 1 : -1].log_softmax(-1)
    return prompt[0].tolist(), chosen.gather(1, completion[0][:, None])[:, 0]


if rows_file != "-":
    processor = AutoProcessor.from_pretrained(model_dir)
    rows = [json.loads(line) for line in open(rows_file) if line.strip()]
    for number, row in enumerate(rows, 1):
        prompt_ids, theirs = logprobs(row, Path(rows_file).parent)
        if prompt_ids != row["prompt_ids"]:
            sys.exit(f"{rows_file}:{number}: transformers renders another prompt")
        worst = max(worst, (theirs - torch.tensor(row["logprobs"])).abs().max().item())
    print(f"{len(rows)} rows: log-probabilities differ by at most {worst:.2g}")

if len(sys.argv) > 4:
    merged, apart, count = model.merge_and_unload().state_dict(), 0.0, 0
    for file in Path(sys.argv[4]).glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            for name in tensors.keys():
                # transformers 5's name of the module
                name_5 = name.replace("model.", "model.language_model.", 1) if name.startswith("model.") else name
                name_5 = f"model.{name}" if name.startswith("visual.") else name_5
                apart = max(apart, (merged[name_5] - tensors.get_tensor(name).float()).abs().max().item())
                count += 1
    print(f"{count} merged tensors differ by at most {apart:.2g}")
    worst = max(worst, apart)
sys.exit(int(not worst < TOLERANCE))
