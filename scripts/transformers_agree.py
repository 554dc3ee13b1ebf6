"""Does Hugging Face transformers answer like us? Loads a checkpoint that `sophia train` wrote, asks it the questions of a
predictions.jsonl (greedy) and counts the responses that are the same to the letter.

    python scripts/transformers_agree.py MODEL_DIR RECORDS.jsonl PREDICTIONS.jsonl [N]

Needs torch, torchvision, transformers and pillow.
"""

import json
import sys
from pathlib import Path

import torch
from PIL import Image
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

model_dir, records_file, predictions_file = map(Path, sys.argv[1:4])
limit = int(sys.argv[4]) if len(sys.argv) > 4 else 60
processor = AutoProcessor.from_pretrained(model_dir)
model = Qwen2_5_VLForConditionalGeneration.from_pretrained(model_dir, dtype=torch.float32).eval()
records = [json.loads(line) for line in records_file.open()][:limit]
predictions = [json.loads(line) for line in predictions_file.open()][:limit]
same = 0
for record, prediction in zip(records, predictions):
    parts = [{"type": "text", "text": record["problem"]}]
    images = None
    if record["data_type"] == "image":
        images = [Image.open(records_file.parent / record["path"]).convert("RGB")]
        parts.insert(0, {"type": "image"})
    text = processor.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True)
    inputs = processor(text=[text], images=images, return_tensors="pt")
    with torch.no_grad():
        output = model.generate(**inputs, max_new_tokens=30, do_sample=False)
    tokens = output[0, inputs["input_ids"].shape[1] :]
    response = processor.tokenizer.decode(tokens, skip_special_tokens=True).strip()
    if response == prediction["response"].strip():
        same += 1
    else:
        print(f"{record['problem_id']}: transformers {response!r}, sophia {prediction['response']!r}")
print(f"{same} of {len(records)} responses are the same")
