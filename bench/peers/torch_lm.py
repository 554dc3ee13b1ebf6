"""
Qwen2.5-VL of transformers on PyTorch, on the CPU: the same work as ../engine.ts.

    python torch_lm.py '{"name": "XS"}'      (XS, S, M; further keys: threads, reps, compile, attention, rows, parts …)

A row is 64 prompt tokens, 16 of them a picture of its own (64 patches), and 64 completion tokens; nothing is padded.

forward    log-probabilities of the completions' tokens without gradient: vision, text, head on these positions alone
backward   the same with gradient; loss = −mean(advantage · log p); every parameter gets its gradient
step       backward, clipping to norm 1, fused AdamW
sample     model.generate with KV cache, temperature 1, as many new tokens as a completion has, no end token
loop       the same by a plain loop over the model with a DynamicCache, without generate's overhead
"""

import side
import qwen

c = side.options(
    dict(prompt=64, completion=64, compile=False, attention="sdpa", seed=0, parts=["forward", "backward", "step", "sample", "loop"]),
    qwen.SIZES,
)
side.prepare(c["threads"])
import torch
import transformers
from transformers import DynamicCache

torch.set_num_threads(c["threads"])
torch.manual_seed(c["seed"])
transformers.logging.set_verbosity_error()

V = qwen.VOCABULARY
IMAGE, VIDEO, START, END = V - 4, V - 3, V - 2, V - 1
ROWS, PROMPT, COMPLETION = c["rows"], c["prompt"], c["completion"]
model = qwen.new_model(qwen.config(c, (IMAGE, VIDEO, START, END)), c["attention"]).train()
passes = torch.compile(model, dynamic=False) if c["compile"] else model


def batch(generator):
    ids = torch.randint(0, V - 8, (ROWS, PROMPT + COMPLETION), generator=generator)
    ids[:, 4], ids[:, 5 : 5 + qwen.PICTURE_TOKENS], ids[:, 5 + qwen.PICTURE_TOKENS] = START, IMAGE, END
    return dict(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        mm_token_type_ids=(ids == IMAGE).int(),
        pixel_values=torch.randn(ROWS * qwen.PATCHES, 1176, generator=generator),
        image_grid_thw=torch.tensor([[1, 8, 8]] * ROWS),
    )


generator = torch.Generator().manual_seed(1)
inputs = batch(generator)
completion = inputs["input_ids"][:, PROMPT:]
advantage = torch.randn(ROWS, 1, generator=generator)
per_token = ("input_ids", "attention_mask", "mm_token_type_ids")
prompt = {k: v[:, :PROMPT] if k in per_token else v for k, v in inputs.items()}
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-6, betas=(0.9, 0.95), weight_decay=0.01, fused=True)


def logprobs():
    logits = passes(**inputs, use_cache=False, logits_to_keep=COMPLETION + 1).logits[:, :-1].float()
    return torch.gather(logits, 2, completion[..., None]).squeeze(-1) - torch.logsumexp(logits, -1)


def forward():
    model.train()
    with torch.no_grad():
        logprobs()


def backward():
    model.train()
    model.zero_grad(set_to_none=True)
    (-(advantage * logprobs()).mean()).backward()


def step():
    backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()


def sample():
    model.eval()
    with torch.no_grad():
        out = model.generate(
            **prompt,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=COMPLETION,
            eos_token_id=None,
            pad_token_id=0,
            use_cache=True,
            suppress_tokens=[IMAGE, VIDEO],
        )
    assert out.shape[1] == PROMPT + COMPLETION, out.shape


def loop():
    model.eval()
    with torch.no_grad():
        cache = DynamicCache(config=model.config.text_config)
        positions, delta = model.model.get_rope_index(
            prompt["input_ids"], prompt["mm_token_type_ids"], prompt["image_grid_thw"], attention_mask=prompt["attention_mask"]
        )
        out = model(**prompt, position_ids=positions, past_key_values=cache, use_cache=True, logits_to_keep=1)
        for i in range(COMPLETION):
            logits = out.logits[:, -1]
            logits[:, IMAGE : VIDEO + 1] = -1e9
            token = torch.multinomial(torch.softmax(logits, -1), 1)
            if i == COMPLETION - 1:
                break
            at = (PROMPT + i + delta).view(1, ROWS, 1).expand(3, ROWS, 1)
            out = model(input_ids=token, position_ids=at, past_key_values=cache, use_cache=True, logits_to_keep=1)


if __name__ == "__main__":
    every, new = ROWS * (PROMPT + COMPLETION), ROWS * COMPLETION
    facts = dict(
        name=c["name"],
        **side.versions(),
        threads=torch.get_num_threads(),
        compiled=c["compile"],
        parameters=qwen.parameter_count(model),
        forward_gflop=round(qwen.forward_flops(c) / 1e9, 3),
    )
    parts = dict(forward=forward, backward=backward, step=step, sample=sample, loop=loop)
    tokens = dict(forward=every, backward=every, step=every, sample=new, loop=new)
    side.run(c, facts, parts, c["parts"], tokens)
